#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/pg/pg_internal.h"

/* The first row whose prefix fits names the code. LE… are raised by functions of our own. */
static const struct {
    const char *prefix;
    int code;
} codes[] = {
    {"LE001", LEAT_EFENCED},      /* leat_fence: another epoch or tx_seq */
    {"LE002", LEAT_EREFUSED},     /* leat_room: a stated bound */
    {"08", LEAT_EUNREACHABLE},    /* connection exception */
    {"57014", LEAT_EREFUSED},     /* cancelled, statement_timeout */
    {"57", LEAT_EUNREACHABLE},    /* the server shuts down, starts up, ended this backend */
    {"25P03", LEAT_EUNREACHABLE}, /* idle in transaction for too long */
    {"25006", LEAT_EUNREACHABLE}, /* a standby: read-only */
    {"42P01", LEAT_EUNREACHABLE}, /* no such table: the leader has not migrated yet */
    {"53", LEAT_EFULL},           /* disk full, out of memory, too many connections */
    {"28", LEAT_EAUTH},           {"23505", LEAT_EEXISTS},
    {"40", LEAT_EREFUSED},    /* serialization, deadlock */
    {"55P03", LEAT_EREFUSED}, /* lock_timeout */
    {"22", LEAT_EINPUT},      /* data exception */
};

static int code_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (text_starts_with(state, codes[i].prefix))
            return codes[i].code;
    return LEAT_EINTERNAL;
}

void pg_error_of(const PGresult *result, struct err *err, char state[PG_STATE_SIZE])
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    snprintf(state, PG_STATE_SIZE, "%s", sqlstate ? sqlstate : "");
    if (!sqlstate) { /* libpq's own: the connection broke */
        text = PQresultErrorMessage(result);
        err_set(err, LEAT_EUNREACHABLE, "%.*s", (int)strcspn(text, "\n"), text);
        return;
    }
    err_set(err, code_of(state), "%s%s%s (SQLSTATE %s)", text ? text : "refused",
            detail ? ": " : "", detail ? detail : "", state);
}
