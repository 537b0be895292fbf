/* The compiled form of frames.py, which holds the same in Python and says what it does. What is compiled elsewhere adds
   frames through `adder`, without Python. Needs OpenSSL's libcrypto. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include "_frames.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY = 32, HASH = 32, NONCE = 12, TAG = 16, LENGTH = 4, ABOUT = HASH + 8 + 1, TRIES = 8, KEPT = 1 << 16 };

typedef struct {
    PyObject_HEAD
    FrameAdder adder;
    int file;
    long long size, records;
    unsigned long long number; /* of the next frame */
    unsigned tries; /* at it, that failed: what is written in the place of a piece is sealed with another nonce */
    unsigned char hash[HASH], about[ABOUT];
    EVP_CIPHER_CTX *sealing;
    EVP_MD_CTX *hashing;
    unsigned char *frame;
    size_t room;
} Frames;

static EVP_MD *sha256;
static PyObject *frames_type;

static void put_number(unsigned char *at, unsigned long long value, int size)
{
    while (size--) {
        at[size] = (unsigned char)value;
        value >>= 8;
    }
}

static int hashed(Frames *self, const void *first, size_t first_size, const void *second, size_t size, unsigned char *to)
{
    return EVP_DigestInit_ex(self->hashing, sha256, NULL) && EVP_DigestUpdate(self->hashing, first, first_size)
        && EVP_DigestUpdate(self->hashing, second, size) && EVP_DigestFinal_ex(self->hashing, to, NULL);
}

/* All of it or nothing: a piece of a frame, on a full disk, is taken back. An errno. */
static int put(Frames *self, const unsigned char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t written = write(self->file, data + done, size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            const int failed = written < 0 ? errno : EIO;
            const int taken_back = done ? ftruncate(self->file, self->size) : 0;
            (void)taken_back; /* where even that fails, a reader says where the recording ends */
            return failed;
        }
        done += (size_t)written;
    }
    self->size += (long long)size;
    return 0;
}

static int sealed(Frames *self, const char *lines, int size, int last)
{
    unsigned char nonce[NONCE] = {0};
    int done, rest;
    put_number(nonce, self->tries, 4);
    put_number(nonce + NONCE - 8, self->number, 8);
    put_number(self->about + HASH, self->number, 8);
    self->about[ABOUT - 1] = last ? 1 : 0;
    put_number(self->frame, (unsigned long long)size + TAG, LENGTH);
    unsigned char *body = self->frame + LENGTH;
    return EVP_EncryptInit_ex(self->sealing, NULL, NULL, NULL, nonce)
        && EVP_EncryptUpdate(self->sealing, NULL, &done, self->about, ABOUT)
        && EVP_EncryptUpdate(self->sealing, body, &done, (const unsigned char *)lines, size) && done == size
        && EVP_EncryptFinal_ex(self->sealing, body + done, &rest) && !rest
        && EVP_CIPHER_CTX_ctrl(self->sealing, EVP_CTRL_AEAD_GET_TAG, TAG, body + size);
}

/* FrameAdder.add */
static int add(void *frames, const char *lines, size_t size, long long records, int last)
{
    Frames *self = frames;
    const size_t whole = LENGTH + size + TAG;
    unsigned char grown[HASH];
    if (self->file < 0)
        return EBADF;
    if (size > (1u << 30))
        return EFBIG;
    if (self->tries >= TRIES)
        return EIO;
    if (whole > self->room) {
        unsigned char *more = realloc(self->frame, whole);
        if (more == NULL)
            return ENOMEM;
        self->frame = more;
        self->room = whole;
    }
    if (!sealed(self, lines, (int)size, last) || !hashed(self, self->hash, HASH, self->frame, whole, grown))
        return EIO;
    const int failed = put(self, self->frame, whole);
    if (whole > KEPT) {
        free(self->frame);
        self->frame = NULL;
        self->room = 0;
    }
    if (failed) {
        self->tries++;
        return failed;
    }
    self->tries = 0;
    memcpy(self->hash, grown, HASH);
    self->number++;
    self->records += records;
    return 0;
}

static PyObject *raised(int number)
{
    errno = number;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *frames_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    Py_buffer key, line;
    int file;
    (void)named;
    if (!PyArg_ParseTuple(args, "iy*y*", &file, &key, &line))
        return NULL;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Frames *self = key.len == KEY ? (Frames *)make(type, 0) : NULL;
    int failed = 0;
    if (self != NULL) {
        self->adder = (FrameAdder){self, add};
        self->file = file;
        self->sealing = EVP_CIPHER_CTX_new();
        self->hashing = EVP_MD_CTX_new();
        if (self->sealing == NULL || self->hashing == NULL
            || !EVP_EncryptInit_ex(self->sealing, EVP_aes_256_gcm(), NULL, key.buf, NULL)
            || !hashed(self, "", 0, line.buf, (size_t)line.len, self->hash))
            failed = EIO;
        memcpy(self->about, self->hash, HASH);
        if (!failed)
            failed = put(self, line.buf, (size_t)line.len);
    } else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "a key has 32 bytes");
    PyBuffer_Release(&key);
    PyBuffer_Release(&line);
    if (failed) {
        self->file = -1; /* whoever opened it closes it */
        Py_DECREF(self);
        return raised(failed);
    }
    return (PyObject *)self;
}

static void frames_free(PyObject *object)
{
    Frames *self = (Frames *)object;
    PyTypeObject *type = Py_TYPE(object);
    EVP_CIPHER_CTX_free(self->sealing); /* and cleanses its key */
    EVP_MD_CTX_free(self->hashing);
    free(self->frame);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *frames_add(PyObject *object, PyObject *args)
{
    Py_buffer lines;
    long long records;
    int last = 0;
    if (!PyArg_ParseTuple(args, "y*L|p", &lines, &records, &last))
        return NULL;
    const int failed = add(object, lines.buf, (size_t)lines.len, records, last);
    PyBuffer_Release(&lines);
    if (failed)
        return raised(failed);
    Py_RETURN_NONE;
}

static PyObject *frames_close(PyObject *object, PyObject *none)
{
    Frames *self = (Frames *)object;
    const int file = self->file;
    (void)none;
    self->file = -1;
    if (file >= 0)
        close(file);
    Py_RETURN_NONE;
}

static void let_go(PyObject *capsule)
{
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

static PyObject *frames_adder(PyObject *object, PyObject *none)
{
    (void)none;
    PyObject *capsule = PyCapsule_New(&((Frames *)object)->adder, FRAME_ADDER, let_go);
    if (capsule != NULL && PyCapsule_SetContext(capsule, Py_NewRef(object))) {
        Py_DECREF(object);
        Py_CLEAR(capsule);
    }
    return capsule;
}

static PyObject *get_hash(PyObject *object, void *none)
{
    (void)none;
    return PyBytes_FromStringAndSize((const char *)((Frames *)object)->hash, HASH);
}

static PyObject *get_size(PyObject *object, void *none)
{
    (void)none;
    return PyLong_FromLongLong(((Frames *)object)->size);
}

static PyObject *get_records(PyObject *object, void *none)
{
    (void)none;
    return PyLong_FromLongLong(((Frames *)object)->records);
}

static PyObject *get_file(PyObject *object, void *none)
{
    (void)none;
    return PyLong_FromLong(((Frames *)object)->file);
}

static PyMethodDef frames_methods[] = {{"add", frames_add, METH_VARARGS, NULL},
                                       {"close", frames_close, METH_NOARGS, NULL},
                                       {"adder", frames_adder, METH_NOARGS, NULL},
                                       {NULL, NULL, 0, NULL}};
static PyGetSetDef frames_values[] = {{"hash", get_hash, NULL, NULL, NULL},
                                      {"size", get_size, NULL, NULL, NULL},
                                      {"records", get_records, NULL, NULL, NULL},
                                      {"file", get_file, NULL, NULL, NULL},
                                      {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot frames_slots[] = {{Py_tp_new, frames_new},
                                     {Py_tp_dealloc, frames_free},
                                     {Py_tp_methods, frames_methods},
                                     {Py_tp_getset, frames_values},
                                     {0, NULL}};
static PyType_Spec frames_spec = {"audit.recording._frames.Frames", sizeof(Frames), 0, Py_TPFLAGS_DEFAULT, frames_slots};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_frames", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__frames(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL)
        return NULL;
    if (sha256 == NULL && (sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) == NULL) {
        Py_DECREF(made);
        PyErr_SetString(PyExc_ImportError, "libcrypto has no SHA-256");
        return NULL;
    }
    frames_type = PyType_FromSpec(&frames_spec);
    if (frames_type == NULL || PyModule_AddObjectRef(made, "Frames", frames_type) < 0)
        Py_CLEAR(made);
    return made;
}
