/* triggers/cron/clock.h: cron slots become events. The only place that follows the wall clock.
 * A slot's event id is made of pipeline, trigger and slot, so that it is published once in effect
 * however often it is tried; the last slot is kept in Postgres after the queue has it. */
#pragma once
#include "triggers/triggers.h"

struct clock_cron *clock_open(struct triggers *t);
void clock_close(struct clock_cron *clock); /* takes NULL */
/* Reads the schedules again (after an apply). */
void clock_follow(struct clock_cron *clock);
