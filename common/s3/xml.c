/* S3's answers are small XML documents: expat reads them, what is in an element is told at its end.
 */
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/s3/internal.h"

#define DEPTH_MAX 16

struct reader {
    XML_Parser parser;
    s3_element_fn *each;
    void *arg;
    int depth;
    struct text text; /* of the element that is open; what stands before a child is dropped */
};

static void begin(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = arg;
    (void)name, (void)attributes;
    r->text.len = 0;
    if (++r->depth > DEPTH_MAX)
        XML_StopParser(r->parser, XML_FALSE);
}

static void end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;
    text_append(&r->text, "", 0);
    r->each(r->arg, name, r->text.data ? r->text.data : "");
    r->text.len = 0;
    r->depth--;
}

static void characters(void *arg, const XML_Char *data, int len)
{
    struct reader *r = arg;
    text_append(&r->text, data, (size_t)len);
}

/* No answer of S3's declares anything: what does is not S3. */
static void doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                    int internal)
{
    struct reader *r = arg;
    (void)name, (void)system, (void)public, (void)internal;
    XML_StopParser(r->parser, XML_FALSE);
}

int s3_xml_read(const char *xml, size_t len, s3_element_fn *each, void *arg, struct err *err)
{
    struct reader r = {.parser = XML_ParserCreate(NULL), .each = each, .arg = arg};
    if (!r.parser)
        abort(); /* out of memory */
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin, end);
    XML_SetCharacterDataHandler(r.parser, characters);
    XML_SetStartDoctypeDeclHandler(r.parser, doctype);
    const enum XML_Status status = XML_Parse(r.parser, xml, (int)len, 1);
    const char *why = XML_ErrorString(XML_GetErrorCode(r.parser));
    XML_ParserFree(r.parser);
    text_free(&r.text);
    if (status == XML_STATUS_OK)
        return 0;
    return err_set(err, LEAT_EIO, "the S3 service sent XML that cannot be read: %s", why);
}

int64_t s3_time_parse(const char *text)
{
    int64_t us = 0;
    return clock_parse(text, &us) == 0 ? us : 0;
}

void s3_etag_copy(char out[S3_ETAG_MAX], const char *text)
{
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    if (len >= S3_ETAG_MAX)
        len = S3_ETAG_MAX - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}
