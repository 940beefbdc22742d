/* cli/gather.h: the files that a person names, with the component files that they use: those on
 * this machine are read, those over https fetched. Blocking. */
#pragma once
#include <jansson.h>
#include "cli/verb.h"
#include "common/front/bundle.h"

struct gathered;

/* Files and folders; a folder stands for the YAML files in it, in the order of their names. What
 * is used and cannot be had is told when it is compiled. < 0: a file of `paths` cannot be read. */
int gather(const char *const *paths, struct gathered **out, struct err *err);
/* The same for the arguments of a verb. */
int gather_given(const struct given *given, struct gathered **out, struct err *err);
void gathered_free(struct gathered *g); /* takes NULL */

/* From here on an image that a pipeline names by a tag is compiled as the digest that the tag has
 * now, of which its registry is asked. */
void gathered_pin_images(struct gathered *g);
/* Asks for all of them, for the body. LEAT_ENOTFOUND, LEAT_EAUTH, LEAT_EUNREACHABLE … with the name
 * of the first that has none. */
int gathered_find_images(struct gathered *g, struct err *err);

struct bundle *gathered_bundle(struct gathered *g);
size_t gathered_count(const struct gathered *g); /* files that were named */
const char *gathered_name(const struct gathered *g, size_t i);
/* What is wrong with the file as YAML; "" = nothing. */
const char *gathered_problems(const struct gathered *g, size_t i);
/* What is used and could not be had, a line each, to standard error. */
void gathered_tell_missing(const struct gathered *g);
/* The body of an apply, a new reference: {"files": [{name, text}], "parts": [{name, text}]}, and
 * "images": {NAME: digest} when they are pinned. */
json_t *gathered_body(const struct gathered *g);
