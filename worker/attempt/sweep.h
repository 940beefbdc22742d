/* worker/attempt/sweep.h: what earlier lives left on disk. */
#pragma once

struct worker;

/* Removes workspaces, logs and secrets of attempts that the worker does not hold. At start. */
void sweep_leftovers(struct worker *w);
