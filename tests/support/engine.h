/* tests/support/engine.h: the test's own look at a real Docker engine, blocking. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* LEAT_TEST_DOCKER: "unix:///…". NULL (after a loud line) when there is none to be had. */
const char *engine_host(void);
const char *engine_image(void); /* LEAT_TEST_IMAGE: busybox */
/* The status; *answer (may be NULL) a new reference or NULL. Ends the program when the engine does
 * not answer. */
int engine_get(const char *method, const char *path, const json_t *body, json_t **answer);
/* Containers whose label `dev.leat.worker` is `worker`; all of the engine when it is NULL. */
int engine_containers(const char *worker);
void engine_remove_all(const char *worker);
/* `dev/services VERB docker` on the test's engine. */
void engine_service(const char *verb);
/* With a setting of dev/parts/docker.py, KEY=VALUE, that stays; NULL = none. */
void engine_service_with(const char *verb, const char *setting);
