#include "common/base/plant.h"

#ifdef LEAT_PLANTS
#include <string.h>

static int chosen = -1;

static const char *const names[] = {
#define P(id, name) name,
    PLANTS(P)
#undef P
};

bool plant_on(enum plant plant)
{
    return (int)plant == chosen;
}

bool plant_choose(const char *name)
{
    for (int i = 0; i < PLANT_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            chosen = i;
    return chosen >= 0;
}
#else
typedef int plant_nothing; /* not an empty file */
#endif
