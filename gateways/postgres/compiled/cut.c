/* The inner loop of frames.py, which holds the same in Python and says what it does. Needs nothing but Python's headers. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { HEADER = 5, LENGTH = 4 };
static const uint32_t LONGEST = 0x3FFFFFFF + LENGTH;

static uint32_t length_at(const unsigned char *p)
{
    return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

/* Steals the reference to `payload`, which may be NULL. */
static int add(PyObject *found, PyObject *frame, int kind, Py_ssize_t size, PyObject *payload, Py_ssize_t count)
{
    if (payload == NULL)
        return -1;
    PyObject *made = count == 1 ? PyObject_CallFunction(frame, "inO", kind, size, payload)
                                : PyObject_CallFunction(frame, "inOsn", kind, size, payload, "", count);
    Py_DECREF(payload);
    int failed = made == NULL || PyList_Append(found, made) < 0;
    Py_XDECREF(made);
    return failed ? -1 : 0;
}

/* cut(data, at, kept, most, frame, found) -> at */
static PyObject *cut(PyObject *self, PyObject *args)
{
    Py_buffer data, kept;
    Py_ssize_t at, most;
    PyObject *frame, *found;
    int failed = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*ny*nOO!", &data, &at, &kept, &most, &frame, &PyList_Type, &found))
        return NULL;
    if (kept.len != 256 || at < 0) {
        PyErr_SetString(PyExc_ValueError, "a place, and 256 flags");
        failed = 1;
    }
    const unsigned char *bytes = data.buf, *wanted = kept.buf;
    while (!failed && data.len - at >= HEADER) {
        const int kind = bytes[at];
        Py_ssize_t count = 0, start = at;
        while (data.len - at >= HEADER && bytes[at] == kind) {
            const uint32_t length = length_at(bytes + at);
            if (length < LENGTH || length > LONGEST || (Py_ssize_t)length > data.len - at - 1)
                break;
            if (wanted[kind] && (count || (Py_ssize_t)length - LENGTH > most))
                break;
            at += 1 + (Py_ssize_t)length;
            count++;
        }
        if (!count)
            break;
        const Py_ssize_t size = at - start - HEADER * count;
        PyObject *payload = wanted[kind] ? PyBytes_FromStringAndSize((const char *)bytes + start + HEADER, size)
                                         : PyBytes_FromStringAndSize("", 0);
        failed = add(found, frame, kind, size, payload, count) < 0;
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&kept);
    return failed ? NULL : PyLong_FromSsize_t(at);
}

static PyMethodDef methods[] = {{"cut", cut, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_cut", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__cut(void)
{
    return PyModuleDef_Init(&module);
}
