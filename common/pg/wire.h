/* common/pg/wire.h: what both directions of the binary format need. */
#pragma once

/* Postgres counts microseconds from 2000-01-01, Unix from 1970-01-01. */
#define PG_EPOCH_US 946684800000000LL
