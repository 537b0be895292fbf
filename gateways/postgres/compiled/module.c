/* What plain.py asks of a burst of bytes: whether it is one statement and nothing else, or its whole answer. Anything
   unusual is somebody else's: the answer is None, and nothing has changed. */
#include "plain.h"
#include <string.h>

typedef struct { PyObject *known, *given; } Names;

/* In a dictionary. `given` is what it has beside the text; borrowed. */
static int find(void *names, Bytes name, Bytes *text, long long *size)
{
    Names *self = names;
    PyObject *shown, *key = PyBytes_FromStringAndSize((const char *)name.at, name.left);
    char *begin;
    Py_ssize_t length;
    if (key == NULL)
        return -1;
    PyObject *found = PyDict_GetItemWithError(self->known, key);
    Py_DECREF(key);
    if (found == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyArg_ParseTuple(found, "SLO", &shown, size, &self->given) || PyBytes_AsStringAndSize(shown, &begin, &length))
        return -1;
    *text = (Bytes){(const unsigned char *)begin, length};
    return 1;
}

/* ask(data, n, at, names, words, meaning) -> (line, given, expects) or None */
static PyObject *ask(PyObject *self, PyObject *args)
{
    Py_buffer data, words, meaning;
    long long n, at;
    int expects;
    Names names = {NULL, NULL};
    PyObject *made = NULL;
    Line line;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*LLO!y*y*", &data, &n, &at, &PyDict_Type, &names.known, &words, &meaning))
        return NULL;
    const Known known = {find, &names, {words.buf, words.len}, {meaning.buf, meaning.len}};
    if (statement_ask((Bytes){data.buf, data.len}, n, at, &known, &line, &expects) > 0)
        made = Py_BuildValue("(y#Oi)", line.text, (Py_ssize_t)line.size, names.given ? names.given : Py_None, expects);
    PyBuffer_Release(&data);
    PyBuffer_Release(&words);
    PyBuffer_Release(&meaning);
    if (made == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return made;
}

/* answer(data, n, at, expects) -> (lines, tag, rows, bytes_out, state) or None */
static PyObject *answer(PyObject *self, PyObject *args)
{
    Py_buffer data;
    long long n, at;
    int expects;
    PyObject *made = NULL;
    Answer found;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*LLi", &data, &n, &at, &expects))
        return NULL;
    if (statement_answer((Bytes){data.buf, data.len}, expects, &found)) {
        Line line;
        statement_tell(&line, n, at, &found);
        PyObject *rows = found.rows < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(found.rows);
        if (rows != NULL)
            made = Py_BuildValue("(y#s#NLs#)", line.text, (Py_ssize_t)line.size, found.tag.at, found.tag.left, rows,
                                 found.bytes_out, found.state.at, found.state.left);
    }
    PyBuffer_Release(&data);
    if (made == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return made;
}

static PyMethodDef methods[] = {{"ask", ask, METH_VARARGS, NULL},
                                {"answer", answer, METH_VARARGS, NULL},
                                {"grouped", grouped, METH_O, NULL},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_plain", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__plain(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && lanes_add_types(made) < 0)
        Py_CLEAR(made);
    return made;
}
