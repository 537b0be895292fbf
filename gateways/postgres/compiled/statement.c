/* Reading one statement, and its answer, off the bytes of a connection. Anything unusual is somebody else's. */
#include "plain.h"
#include <stdio.h>
#include <string.h>

enum { HEADER = 5, LENGTH = 4, MOST_DIGITS = 18 };

static uint32_t number_at(const unsigned char *p, int size)
{
    uint32_t value = 0;
    while (size--)
        value = value << 8 | *p++;
    return value;
}

/* The next message, if it is whole and of this kind; `from` stands behind it then. */
static int next(Bytes *from, int kind, Bytes *payload)
{
    if (from->left < HEADER || from->at[0] != kind)
        return 0;
    const uint32_t length = number_at(from->at + 1, LENGTH);
    if (length < LENGTH || (Py_ssize_t)length > from->left - 1)
        return 0;
    *payload = (Bytes){from->at + HEADER, (Py_ssize_t)length - LENGTH};
    *from = (Bytes){from->at + 1 + length, from->left - 1 - (Py_ssize_t)length};
    return 1;
}

static int take(Bytes *from, Py_ssize_t size, Bytes *taken)
{
    if (size < 0 || from->left < size)
        return 0;
    *taken = (Bytes){from->at, size};
    *from = (Bytes){from->at + size, from->left - size};
    return 1;
}

/* A text that ends in a zero; without it. */
static int named(Bytes *from, Bytes *name)
{
    const unsigned char *end = from->left ? memchr(from->at, 0, (size_t)from->left) : NULL;
    Bytes zero;
    return end != NULL && take(from, end - from->at, name) && take(from, 1, &zero);
}

enum { LETTERS = 256, PLACES = 2 * LETTERS };

/* For each letter that words begin with, the place of its words; there each behind its length, and a zero. */
PyObject *grouped(PyObject *self, PyObject *words)
{
    unsigned char made[1 << 16] = {0};
    size_t size = PLACES;
    char *listed;
    Py_ssize_t all;
    (void)self;
    if (PyBytes_AsStringAndSize(words, &listed, &all) < 0)
        return NULL;
    const unsigned char *begin = (const unsigned char *)listed, *end = begin + all;
    for (int letter = 0; letter < LETTERS; letter++) {
        const size_t place = size;
        for (const unsigned char *word = begin; word < end; word += 1 + word[0]) {
            if (!word[0] || 1 + word[0] > end - word || size + word[0] + 2 > sizeof made) {
                PyErr_SetString(PyExc_ValueError, "these are no words, or too many");
                return NULL;
            }
            if (word[1] != letter)
                continue;
            memcpy(made + size, word, 1 + (size_t)word[0]);
            size += 1 + (size_t)word[0];
        }
        if (size == place)
            continue;
        made[2 * letter] = (unsigned char)(place >> 8);
        made[2 * letter + 1] = (unsigned char)place;
        made[size++] = 0;
    }
    return PyBytes_FromStringAndSize((const char *)made, (Py_ssize_t)size);
}

/* Whether the bytes are ASCII, hold no zero, and none of these words. */
static int harmless(Bytes text, Bytes words)
{
    unsigned char low[MOST];
    if (text.left > MOST || words.left < PLACES)
        return 0;
    for (Py_ssize_t i = 0; i < text.left; i++) {
        const unsigned char c = text.at[i];
        if (c == 0 || c >= 0x80)
            return 0;
        low[i] = (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    for (Py_ssize_t i = 0; i < text.left; i++) {
        const uint32_t place = number_at(words.at + 2 * low[i], 2);
        if (!place)
            continue;
        for (const unsigned char *word = words.at + place; *word; word += 1 + word[0])
            if (word[0] <= text.left - i && !memcmp(low + i, word + 1, word[0]))
                return 0;
    }
    return 1;
}

void line_put(Line *line, const char *text, size_t size)
{
    if (size > ROOM - line->size) {
        line->failed = 1;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

void line_say(Line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

void line_count(Line *line, long long value)
{
    char text[20]; /* by hand: printf was a twentieth of a statement's time */
    size_t from = sizeof text;
    do {
        text[--from] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    line_put(line, text + from, sizeof text - from);
}

static void quote(Line *line, Bytes text)
{
    static const char *const special[] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
                                          ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    line_put(line, "\"", 1);
    for (Py_ssize_t i = 0, from = 0; i <= text.left; i++) {
        const unsigned char c = i < text.left ? text.at[i] : 0;
        const char *instead = c <= '\\' ? special[c] : NULL;
        if (c >= ' ' && instead == NULL)
            continue;
        line_put(line, (const char *)text.at + from, (size_t)(i - from));
        from = i + 1;
        if (i == text.left)
            break;
        char code[8];
        snprintf(code, sizeof code, "\\u%04x", c);
        line_say(line, instead != NULL ? instead : code);
    }
    line_put(line, "\"", 1);
}

void line_begin(Line *line, long long at, const char *kind, long long n)
{
    line->size = 0;
    line->failed = 0;
    line_put(line, "[", 1);
    line_count(line, at);
    line_say(line, kind);
    line_count(line, n);
}

/* The values of a Bind as a JSON list; nothing where there are none. */
static int put_values(Line *line, Bytes rest, Bytes words)
{
    Bytes head, formats, value;
    if (!take(&rest, 2, &head) || !take(&rest, 2 * (Py_ssize_t)number_at(head.at, 2), &formats))
        return 0;
    for (Py_ssize_t i = 0; i < formats.left; i++)
        if (formats.at[i])
            return 0; /* binary */
    if (!take(&rest, 2, &head))
        return 0;
    const uint32_t values = number_at(head.at, 2);
    if (formats.left > 2 && formats.left != 2 * (Py_ssize_t)values)
        return 0; /* refused by the database */
    for (uint32_t i = 0; i < values; i++) {
        if (!take(&rest, 4, &head))
            return 0;
        const int32_t size = (int32_t)number_at(head.at, 4);
        line_say(line, i ? "," : ",\"values\":[");
        if (size == -1) {
            line_say(line, "\"NULL\"");
            continue;
        }
        if (!take(&rest, size, &value) || !harmless(value, words))
            return 0;
        quote(line, value);
    }
    if (values)
        line_say(line, "]");
    return take(&rest, 2, &head) && rest.left == 2 * (Py_ssize_t)number_at(head.at, 2);
}

/* Bind, Describe, Execute and Sync of the unnamed portal, for a statement whose text is certain. */
static int bound(Bytes from, Line *line, const Known *known, int *expects)
{
    Bytes payload, portal, name, limit, text;
    long long size;
    if (!next(&from, 'B', &payload) || !named(&payload, &portal) || portal.left || !named(&payload, &name))
        return 0;
    const int found = known->find(known->names, name, &text, &size);
    if (found <= 0)
        return found;
    line_put(line, (const char *)text.at, (size_t)text.left);
    if (!put_values(line, payload, known->words))
        return 0;
    if (size) {
        line_say(line, ",\"size\":");
        line_count(line, size);
    }
    *expects = '2';
    if (next(&from, 'D', &payload)) {
        if (payload.left != 2 || memcmp(payload.at, "P", 2))
            return 0;
        *expects = 'T';
    }
    return next(&from, 'E', &payload) && named(&payload, &portal) && !portal.left && take(&payload, 4, &limit)
        && !payload.left && next(&from, 'S', &payload) && !payload.left && !from.left;
}

static int queried(Bytes from, Line *line, const Known *known)
{
    Bytes payload, text;
    if (!next(&from, 'Q', &payload) || from.left || !named(&payload, &text) || payload.left || !text.left)
        return 0;
    if (!harmless(text, known->meaning) || !harmless(text, known->words))
        return 0;
    quote(line, text);
    line_say(line, ",\"size\":");
    line_count(line, text.left);
    return 1;
}

int statement_ask(Bytes said, long long n, long long at, const Known *known, Line *line, int *expects)
{
    if (said.left > MOST || said.left < HEADER)
        return 0;
    *expects = 'Q';
    line_begin(line, at, ",\"asked\",{\"n\":", n);
    line_say(line, ",\"text\":");
    const int found = said.at[0] == 'Q' ? queried(said, line, known) : bound(said, line, known, expects);
    line_say(line, "}]\n");
    return found > 0 ? !line->failed : found;
}

/* How many rows a tag counts: its last word, where that is a number; -1: none, -2: nobody should say here. */
static long long rows_of(Bytes tag)
{
    long long rows = 0;
    Py_ssize_t digits = 0;
    for (Py_ssize_t i = 0; i < tag.left; i++)
        if (tag.at[i] < ' ' || tag.at[i] > '~' || tag.at[i] == '"' || tag.at[i] == '\\')
            return -2;
    while (digits < tag.left && tag.at[tag.left - 1 - digits] >= '0' && tag.at[tag.left - 1 - digits] <= '9')
        digits++;
    if (digits > MOST_DIGITS)
        return -2;
    if (!digits || (digits < tag.left && tag.at[tag.left - 1 - digits] != ' '))
        return -1;
    for (Py_ssize_t i = tag.left - digits; i < tag.left; i++)
        rows = rows * 10 + (tag.at[i] - '0');
    return rows;
}

/* Names stand for nothing any more after it: see _FORGETS in conversation.py. */
static int forgets(Bytes tag)
{
    return tag.left > 4 && !memcmp(tag.at + tag.left - 4, " ALL", 4);
}

int statement_answer(Bytes said, int expects, Answer *answer)
{
    Bytes from = said, payload;
    answer->bytes_out = 0;
    if (expects != 'Q' && !(next(&from, '2', &payload) && !payload.left))
        return 0;
    if (expects != '2' && !next(&from, 'T', &payload) && !(expects == 'T' ? next(&from, 'n', &payload) : 1))
        return 0;
    while (next(&from, 'D', &payload))
        answer->bytes_out += payload.left;
    if (!next(&from, 'C', &payload) || !named(&payload, &answer->tag) || payload.left || answer->tag.left > MOST_TAG
        || forgets(answer->tag))
        return 0;
    if (!next(&from, 'Z', &answer->state) || answer->state.left != 1 || from.left)
        return 0;
    if (!answer->state.at[0] || strchr("ITE", answer->state.at[0]) == NULL)
        return 0;
    answer->rows = rows_of(answer->tag);
    return answer->rows > -2;
}

void statement_tell(Line *line, long long n, long long at, const Answer *answer)
{
    line_begin(line, at, ",\"answered\",{\"n\":", n);
    if (answer->tag.left) {
        line_say(line, ",\"tag\":");
        quote(line, answer->tag);
    }
    if (answer->rows >= 0) {
        line_say(line, ",\"rows\":");
        line_count(line, answer->rows);
    }
    if (answer->bytes_out) {
        line_say(line, ",\"bytes_out\":");
        line_count(line, answer->bytes_out);
    }
    line_say(line, "}]\n[");
    line_count(line, at);
    line_say(line, ",\"settled\",{\"state\":\"");
    line_put(line, (const char *)answer->state.at, 1);
    line_say(line, "\"}]\n");
}
