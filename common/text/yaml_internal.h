/* common/text/yaml_internal.h: what yaml*.c share among themselves. */
#pragma once
#include "common/text/yaml.h"

struct yaml_place {
    int line, column;
};

/* Remembers where a member (key set) or an element (key NULL, by index) of `parent` stood. */
struct yaml_places *yaml_places_new(struct yaml_place root);
void yaml_places_add(struct yaml_places *places, const json_t *parent, const char *key,
                     size_t index, struct yaml_place key_at, struct yaml_place value_at);
void yaml_places_sort(struct yaml_places *places); /* once, before the first look */
/* Linear, before sorting: where `key` of `parent` was written first. */
struct yaml_place yaml_places_key(const struct yaml_places *places, const json_t *parent,
                                  const char *key);
void yaml_places_free(struct yaml_places *places);

/* Tags that a node may carry. */
enum yaml_tag {
    YAML_TAG_NONE,
    YAML_TAG_STR,
    YAML_TAG_INT,
    YAML_TAG_FLOAT,
    YAML_TAG_BOOL,
    YAML_TAG_NULL,
    YAML_TAG_MAP,
    YAML_TAG_SEQ,
    YAML_TAG_UNKNOWN,
};
enum yaml_tag yaml_tag_of(const char *tag); /* takes NULL */

/* The value of a scalar by the core schema. NULL, and *why says what is wrong with it. */
json_t *yaml_scalar(const char *text, size_t len, bool plain, enum yaml_tag tag, const char **why);
