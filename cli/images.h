/* cli/images.h: whether the images that a run's steps ran in can still be had. Their registries are
 * asked, by digest. A registry's "no" is a warning and never more: a worker may have the image
 * still, and an engine may give a digest to one that never was in a registry. What has no digest
 * ("sha256:…" alone) is on a worker only, and nobody is asked for it. */
#pragma once
#include <jansson.h>

#define IMAGES_LOOK_US  (10 * US_PER_S) /* for all of them together */
#define IMAGES_ONE_US   (4 * US_PER_S)  /* for one; a registry that is silent is asked once */
#define IMAGES_TOLD_MAX 20              /* lines of images that are gone */

/* `run`: as the API shows it, of its steps those with an image at least; `params`: those that are
 * to be others, as text. Of each image that a rerun would take and its registry has no more, and of
 * each registry that could not be asked, one line to standard error. Asks the API for the version
 * where a step has an image with a digest, and nobody for anything where none has. Blocking. */
void images_look(const json_t *run, json_t *params);
