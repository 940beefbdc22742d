/* Made by schema/gen.py from schema/migrations; do not edit. */

#pragma once

struct migration {
    int number;
    const char *name;
    const char *text;
    const char *sha256;
};

extern const struct migration MIGRATIONS[];
extern const int MIGRATION_COUNT;
