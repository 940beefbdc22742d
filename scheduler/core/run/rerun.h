/* scheduler/core/run/rerun.h: a run that runs all of a finished one anew, with the objects and
 * images of then: the built-in steps that pin objects are taken over, and a step is given the image
 * by the digest that ran. Neither where its texts look at a parameter that is another now. */
#pragma once
#include "scheduler/core/state.h"

/* run->marks and run->images, from run->adopts. */
void rerun_mark(struct run *run);
/* The image to run, borrowed; NULL = what the version says. */
const char *rerun_image(struct step_ref at);
