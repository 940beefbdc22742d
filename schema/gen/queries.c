/* Made by schema/gen.py from schema/queries; do not edit. */

#include "schema/gen/queries.h"

const struct query QUERIES[] = {
    {0, 0, 0}
};
