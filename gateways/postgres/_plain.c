/* What plain.py asks of a burst of bytes: whether it is one statement and nothing else, or its whole answer, and the
   recording's lines for it, as conversation.py and msgspec would make them. Anything unusual is somebody else's: the
   answer is None, and nothing has changed. Needs nothing but Python's headers. */
#define _GNU_SOURCE
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 5, LENGTH = 4, MOST = 2048, MOST_TAG = 64, MOST_DIGITS = 18, ROOM = 6 * MOST + 8192 + 512 };

typedef struct { const unsigned char *at; Py_ssize_t left; } Bytes;
typedef struct { char text[ROOM]; size_t size; int failed; } Line;

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

/* Whether the bytes are ASCII, hold no zero, and none of these words, each of which stands behind its length. */
static int harmless(Bytes text, const Py_buffer *words)
{
    char low[MOST];
    if (text.left > MOST)
        return 0;
    for (Py_ssize_t i = 0; i < text.left; i++) {
        const unsigned char c = text.at[i];
        if (c == 0 || c >= 0x80)
            return 0;
        low[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    const unsigned char *word = words->buf, *end = word + words->len;
    for (; word < end; word += 1 + word[0])
        if (1 + word[0] > end - word || memmem(low, (size_t)text.left, word + 1, word[0]) != NULL)
            return 0;
    return 1;
}

static void put(Line *line, const char *text, size_t size)
{
    if (size > ROOM - line->size) {
        line->failed = 1;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void say(Line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void count(Line *line, long long value)
{
    char text[24];
    put(line, text, (size_t)snprintf(text, sizeof text, "%lld", value));
}

static void quote(Line *line, Bytes text)
{
    static const char *const special[] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
                                          ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    put(line, "\"", 1);
    for (Py_ssize_t i = 0, from = 0; i <= text.left; i++) {
        const unsigned char c = i < text.left ? text.at[i] : 0;
        const char *instead = c <= '\\' ? special[c] : NULL;
        if (c >= ' ' && instead == NULL)
            continue;
        put(line, (const char *)text.at + from, (size_t)(i - from));
        from = i + 1;
        if (i == text.left)
            break;
        char code[8];
        snprintf(code, sizeof code, "\\u%04x", c);
        say(line, instead != NULL ? instead : code);
    }
    put(line, "\"", 1);
}

static void begin(Line *line, long long at, const char *kind, long long n)
{
    line->size = 0;
    line->failed = 0;
    put(line, "[", 1);
    count(line, at);
    say(line, kind);
    count(line, n);
}

/* The values of a Bind as a JSON list; nothing where there are none. */
static int put_values(Line *line, Bytes rest, const Py_buffer *words)
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
    for (uint32_t i = 0; i < values; i++) {
        if (!take(&rest, 4, &head))
            return 0;
        const int32_t size = (int32_t)number_at(head.at, 4);
        say(line, i ? "," : ",\"values\":[");
        if (size == -1) {
            say(line, "\"NULL\"");
            continue;
        }
        if (!take(&rest, size, &value) || !harmless(value, words))
            return 0;
        quote(line, value);
    }
    if (values)
        say(line, "]");
    return take(&rest, 2, &head) && rest.left == 2 * (Py_ssize_t)number_at(head.at, 2);
}

/* Bind, Describe, Execute and Sync of the unnamed portal, for a statement whose text is certain. Borrows `given`. */
static int bound(Bytes from, Line *line, PyObject *names, const Py_buffer *words, PyObject **given, int *expects)
{
    Bytes payload, portal, name, limit;
    if (!next(&from, 'B', &payload) || !named(&payload, &portal) || portal.left || !named(&payload, &name))
        return 0;
    PyObject *key = PyBytes_FromStringAndSize((const char *)name.at, name.left);
    if (key == NULL)
        return -1;
    *given = PyDict_GetItemWithError(names, key);
    Py_DECREF(key);
    if (*given == NULL)
        return PyErr_Occurred() ? -1 : 0;
    char *text;
    Py_ssize_t size;
    PyObject *shown = PyTuple_GetItem(*given, 0), *length = PyTuple_GetItem(*given, 1);
    *given = PyTuple_GetItem(*given, 2);
    if (shown == NULL || length == NULL || *given == NULL || PyBytes_AsStringAndSize(shown, &text, &size) < 0)
        return -1;
    put(line, text, (size_t)size);
    if (!put_values(line, payload, words))
        return 0;
    const long long whole = PyLong_AsLongLong(length);
    if (whole) {
        say(line, ",\"size\":");
        count(line, whole);
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

static int queried(Bytes from, Line *line, const Py_buffer *words, const Py_buffer *meaning)
{
    Bytes payload, text;
    if (!next(&from, 'Q', &payload) || from.left || !named(&payload, &text) || payload.left || !text.left)
        return 0;
    if (!harmless(text, meaning) || !harmless(text, words))
        return 0;
    quote(line, text);
    say(line, ",\"size\":");
    count(line, text.left);
    return 1;
}

/* ask(data, n, at, names, words, meaning) -> (line, given, expects) or None */
static PyObject *ask(PyObject *self, PyObject *args)
{
    Py_buffer data, words, meaning;
    long long n, at;
    PyObject *names, *given = NULL, *made = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*LLO!y*y*", &data, &n, &at, &PyDict_Type, &names, &words, &meaning))
        return NULL;
    Line line;
    int expects = 'Q', found = 0;
    const Bytes from = {data.buf, data.len};
    if (data.len <= MOST && data.len >= HEADER) {
        begin(&line, at, ",\"asked\",{\"n\":", n);
        say(&line, ",\"text\":");
        found = from.at[0] == 'Q' ? queried(from, &line, &words, &meaning)
                                  : bound(from, &line, names, &words, &given, &expects);
        say(&line, "}]\n");
    }
    if (found > 0 && !line.failed)
        made = Py_BuildValue("(y#Oi)", line.text, (Py_ssize_t)line.size, given ? given : Py_None, expects);
    PyBuffer_Release(&data);
    PyBuffer_Release(&words);
    PyBuffer_Release(&meaning);
    if (made == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return made;
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

static void tell(Line *line, long long at, Bytes tag, long long rows, long long bytes_out)
{
    if (tag.left) {
        say(line, ",\"tag\":");
        quote(line, tag);
    }
    if (rows >= 0) {
        say(line, ",\"rows\":");
        count(line, rows);
    }
    if (bytes_out) {
        say(line, ",\"bytes_out\":");
        count(line, bytes_out);
    }
    say(line, "}]\n[");
    count(line, at);
    say(line, ",\"settled\",{\"state\":\"");
}

/* answer(data, n, at, expects) -> (lines, tag, rows, bytes_out, state) or None */
static PyObject *answer(PyObject *self, PyObject *args)
{
    Py_buffer data;
    long long n, at, bytes_out = 0;
    int expects;
    PyObject *made = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*LLi", &data, &n, &at, &expects))
        return NULL;
    Bytes from = {data.buf, data.len}, payload, tag, state;
    int found = expects == 'Q' || (next(&from, '2', &payload) && !payload.left);
    if (found && expects != '2')
        found = next(&from, 'T', &payload) || (expects == 'T' ? next(&from, 'n', &payload) : 1);
    while (found && next(&from, 'D', &payload))
        bytes_out += payload.left;
    found = found && next(&from, 'C', &payload) && named(&payload, &tag) && !payload.left && tag.left <= MOST_TAG
        && next(&from, 'Z', &state) && state.left == 1 && !from.left && strchr("ITE", state.at[0]) && state.at[0];
    const long long rows = found ? rows_of(tag) : -2;
    if (rows > -2) {
        Line line;
        begin(&line, at, ",\"answered\",{\"n\":", n);
        tell(&line, at, tag, rows, bytes_out);
        put(&line, (const char *)state.at, 1);
        say(&line, "\"}]\n");
        PyObject *counted = rows < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(rows);
        if (counted != NULL)
            made = Py_BuildValue("(y#s#NLs#)", line.text, (Py_ssize_t)line.size, tag.at, tag.left, counted, bytes_out,
                                 state.at, state.left);
    }
    PyBuffer_Release(&data);
    if (made == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return made;
}

static PyMethodDef methods[] = {
    {"ask", ask, METH_VARARGS, NULL}, {"answer", answer, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_plain", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__plain(void)
{
    return PyModuleDef_Init(&module);
}
