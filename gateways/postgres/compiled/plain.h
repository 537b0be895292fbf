/* What is recognised of a PostgreSQL connection without Python, and the recording's lines for it, as conversation.py
   and msgspec would make them. */
#ifndef PRODACCESS_PLAIN_H
#define PRODACCESS_PLAIN_H
#define _GNU_SOURCE
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* bytes: of what a client says at once, of a tag, and of a line, in which each byte takes six at most */
enum { MOST = 2048, MOST_TAG = 64, ROOM = 6 * MOST + 8192 + 512 };

typedef struct { const unsigned char *at; Py_ssize_t left; } Bytes;
typedef struct { char text[ROOM]; size_t size; int failed; } Line;

/* What the names of prepared statements stand for: 1 and the text, as JSON, and its size; 0: nobody knows; -1: raised. */
typedef int (*Find)(void *names, Bytes name, Bytes *text, long long *size);

/* `words` must not stand in what is recorded without a closer look, `meaning` in a query's text; see grouped(). */
typedef struct { Find find; void *names; Bytes words, meaning; } Known;

typedef struct { Bytes tag, state; long long rows, bytes_out; } Answer;

void line_begin(Line *line, long long at, const char *kind, long long n);
void line_put(Line *line, const char *text, size_t size);
void line_say(Line *line, const char *text);
void line_count(Line *line, long long value); /* none below zero */

/* Whether this is one statement and nothing else: its line, and with what the server begins its answer, `Q` for that of
   a simple query. -1: the names have raised something. */
int statement_ask(Bytes said, long long n, long long at, const Known *known, Line *line, int *expects);

/* Whether this is its whole answer, and nothing unusual in it. */
int statement_answer(Bytes said, int expects, Answer *answer);

/* The lines of an answer. */
void statement_tell(Line *line, long long n, long long at, const Answer *answer);

/* Words, each behind its length, in the form that they are looked for in; in lower case, none of them empty. */
PyObject *grouped(PyObject *self, PyObject *words);

int lanes_add_types(PyObject *module);

#endif
