"""The extension through which Python calls compiled programs, first half: arguments and results."""

from __future__ import annotations

__all__ = ["VALUES"]

#: An ``Entrance`` is a program's entry point with what it is called with (:class:`wengert.backends.direct.Plan`).
VALUES = r"""/* The way from Python into a compiled program: arguments looked at, results made, nothing else. */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <Python.h>
#include <structmember.h>
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What an input may be given as. */
enum { FLOAT = 1, INT = 2, COMPLEX = 4, SCALAR = 8, ARRAY = 16 };
/* What becomes of an output: a Python number, a NumPy scalar, an array, nothing; or it is a guard. */
enum { AS_ITEM, AS_SCALAR, AS_ARRAY, DROPPED, IS_FALSE, IS_TRUE };
enum { LINE = 64 };

typedef int hosted_t(const void *const *, void *const *, void *, const void *const *, void *);
typedef int shared_t(const void *, const void *, const void *const *, void *const *, void *, const void *const *,
    void *);
typedef union {
    double pair[2];
    float small;
    long long whole;
    void *pointer;
} Number;

typedef struct {
    PyArray_Descr *dtype;
    int ndim, how;
    npy_intp *shape;
    size_t bytes, place;
} Place;

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    void *entry, *callback;
    const void *const *constants;
    const void *whole, *real;
    size_t needs;
    char *work;
    int busy, release, writes, flat, guarded, again;
    Py_ssize_t ins, outs, kept;
    Place *in, *out;
    PyObject *arguments, *rest, *around, *nest, *finish, *trace, *chosen, *backend, *holds, *otherwise, *same, *last;
} Entrance;

/* The leaves of a value that is nested just so.  A nest is None for a leaf, (type, nests, keys) or (None, value). */
static int collect(PyObject *nest, PyObject *value, PyObject **leaves, Py_ssize_t *n, Py_ssize_t limit)
{
    if (nest == Py_None) {
        if (*n >= limit)
            return 0;
        leaves[(*n)++] = value;
        return 1;
    }
    PyObject *type = PyTuple_GET_ITEM(nest, 0), *parts = PyTuple_GET_ITEM(nest, 1);
    if (type == Py_None)
        return value == parts;
    if ((PyObject *)Py_TYPE(value) != type)
        return 0;
    const Py_ssize_t count = PyTuple_GET_SIZE(parts);
    if (PyDict_CheckExact(value)) {
        PyObject *keys = PyTuple_GET_ITEM(nest, 2), *key, *item;
        Py_ssize_t at = 0, k = 0;
        if (PyDict_GET_SIZE(value) != count)
            return 0;
        while (PyDict_Next(value, &at, &key, &item)) {
            PyObject *wanted = PyTuple_GET_ITEM(keys, k);
            if (key != wanted && !(PyUnicode_CheckExact(key) && PyUnicode_CheckExact(wanted)
                    && PyUnicode_Compare(key, wanted) == 0))
                return 0;
            if (!collect(PyTuple_GET_ITEM(parts, k++), item, leaves, n, limit))
                return 0;
        }
        return 1;
    }
    const int is_list = PyList_CheckExact(value);
    if ((is_list ? PyList_GET_SIZE(value) : PyTuple_GET_SIZE(value)) != count)
        return 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *item = is_list ? PyList_GET_ITEM(value, k) : PyTuple_GET_ITEM(value, k);
        if (!collect(PyTuple_GET_ITEM(parts, k), item, leaves, n, limit))
            return 0;
    }
    return 1;
}

static int is_like(PyArrayObject *array, const Place *p)
{
    if (PyArray_TYPE(array) != p->dtype->type_num || PyArray_NDIM(array) != p->ndim || !PyArray_ISCARRAY_RO(array))
        return 0;
    for (int i = 0; i < p->ndim; i++)
        if (PyArray_DIM(array, i) != p->shape[i])
            return 0;
    return 1;
}

/* Where an argument's elements are; NULL where it is of another type, or a number that does not fit. */
static const void *elements(PyObject *value, const Place *p, Number *to)
{
    const int number = p->dtype->type_num;
    if (PyArray_CheckExact(value))
        return (p->how & ARRAY) && is_like((PyArrayObject *)value, p) ? PyArray_DATA((PyArrayObject *)value) : NULL;
    if (p->ndim)
        return NULL;
    if (PyFloat_CheckExact(value)) {
        const double x = PyFloat_AS_DOUBLE(value);
        if (!(p->how & FLOAT))
            return NULL;
        if (number == NPY_DOUBLE)
            return &((PyFloatObject *)value)->ob_fval;
        if (number == NPY_FLOAT) {
            if (isfinite(x) && fabs(x) > FLT_MAX)
                return NULL;
            to->small = (float)x;
        } else {
            to->pair[0] = x;
            to->pair[1] = 0;
        }
        return to;
    }
    if (PyLong_CheckExact(value)) {
        if (!(p->how & INT))
            return NULL;
        if (number == NPY_DOUBLE || number == NPY_CDOUBLE) {
            to->pair[0] = PyLong_AsDouble(value);
            to->pair[1] = 0;
            if (to->pair[0] == -1 && PyErr_Occurred()) {
                PyErr_Clear();
                return NULL;
            }
            return to;
        }
        int overflow;
        to->whole = PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow ? NULL : to;
    }
    if (PyComplex_CheckExact(value)) {
        if (!(p->how & COMPLEX))
            return NULL;
        to->pair[0] = PyComplex_RealAsDouble(value);
        to->pair[1] = PyComplex_ImagAsDouble(value);
        return to;
    }
    if (!(p->how & SCALAR) || Py_TYPE(value) != p->dtype->typeobj)
        return NULL;
    PyArray_ScalarAsCtype(value, to);
    return to;
}

/* An array to write to; NULL where it is no such array, or shares memory with an input. */
static void *target(PyObject *value, const Place *p, const Entrance *e, const void *const *inputs)
{
    if (!PyArray_CheckExact(value) || !is_like((PyArrayObject *)value, p))
        return NULL;
    if (!PyArray_ISWRITEABLE((PyArrayObject *)value))
        return NULL;
    char *first = PyArray_BYTES((PyArrayObject *)value);
    for (Py_ssize_t i = 0; i < e->ins; i++) {
        const char *other = inputs[i];
        if (first < other + e->in[i].bytes && other < first + p->bytes)
            return NULL;
    }
    return first;
}

/* What a run wrote. */
typedef struct {
    const Place *place;
    PyObject **made;
    void **outputs;
} Ends;

/* The next output that is wanted, which is taken over: an array, or NULL and where the number is. */
static PyObject *taken(Ends *next, const Place **place, const void **from)
{
    while (next->place->how >= DROPPED) {
        next->place++;
        next->made++;
        next->outputs++;
    }
    PyObject *made = *next->made;
    *next->made++ = NULL;
    *place = next->place++;
    *from = *next->outputs++;
    return made;
}

static PyObject *leaf(Ends *next)
{
    const Place *p;
    const void *from;
    PyObject *made = taken(next, &p, &from);
    if (made != NULL)
        return made;
    if (p->dtype->type_num == NPY_DOUBLE) {
        if (p->how == AS_ITEM)
            return PyFloat_FromDouble(*(const double *)from);
        if ((made = PyArrayScalar_New(Double)) != NULL)
            PyArrayScalar_ASSIGN(made, Double, *(const double *)from);
        return made;
    }
    if (p->how == AS_SCALAR)
        return PyArray_Scalar((void *)from, p->dtype, NULL);
    if (p->dtype->type_num == NPY_CDOUBLE)
        return PyComplex_FromDoubles(((const double *)from)[0], ((const double *)from)[1]);
    return PyLong_FromLongLong(*(const int64_t *)from);
}

/* The results as they are nested. */
static PyObject *build(PyObject *nest, Ends *next)
{
    if (nest == Py_None)
        return leaf(next);
    PyObject *type = PyTuple_GET_ITEM(nest, 0), *parts = PyTuple_GET_ITEM(nest, 1);
    if (type == Py_None) {
        Py_INCREF(parts);
        return parts;
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(parts);
    const int is_list = type == (PyObject *)&PyList_Type, is_dict = type == (PyObject *)&PyDict_Type;
    PyObject *made = is_dict ? PyDict_New() : is_list ? PyList_New(count) : PyTuple_New(count);
    for (Py_ssize_t k = 0; made != NULL && k < count; k++) {
        PyObject *part = PyTuple_GET_ITEM(parts, k), *item = part == Py_None ? leaf(next) : build(part, next);
        int failed = item == NULL;
        if (!failed && is_dict) {
            failed = PyDict_SetItem(made, PyTuple_GET_ITEM(PyTuple_GET_ITEM(nest, 2), k), item) < 0;
            Py_DECREF(item);
        } else if (!failed && is_list)
            PyList_SET_ITEM(made, k, item);
        else if (!failed)
            PyTuple_SET_ITEM(made, k, item);
        if (failed)
            Py_CLEAR(made);
    }
    return made;
}

/* Whether a result is nothing but floating-point numbers in tuples, and so may be taken for the next one. */
static int is_reusable(PyObject *nest, const Place *out, Py_ssize_t outs)
{
    for (Py_ssize_t k = 0; k < outs; k++)
        if (out[k].how == AS_ARRAY || (out[k].how < DROPPED && out[k].dtype->type_num != NPY_DOUBLE))
            return 0;
    if (nest == Py_None || PyTuple_GET_ITEM(nest, 0) != (PyObject *)&PyTuple_Type || PY_VERSION_HEX >= 0x030e0000)
        return 0; /* from 3.14 on a tuple remembers its hash */
    PyObject *parts = PyTuple_GET_ITEM(nest, 1);
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(parts); k++)
        if (PyTuple_GET_ITEM(parts, k) != Py_None && !is_reusable(PyTuple_GET_ITEM(parts, k), out, 0))
            return 0;
    return 1;
}

/* The results in a tuple that no one else has any more, as zip does; what of it someone has is made anew. */
static int refill(PyObject *nest, PyObject *tuple, Ends *next)
{
    PyObject *parts = PyTuple_GET_ITEM(nest, 1);
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(parts); k++) {
        PyObject *part = PyTuple_GET_ITEM(parts, k), *item = PyTuple_GET_ITEM(tuple, k);
        if (Py_REFCNT(item) > 1) {
            PyObject *made = build(part, next);
            if (made == NULL)
                return 0;
            PyTuple_SET_ITEM(tuple, k, made);
            Py_DECREF(item);
        } else if (part != Py_None) {
            if (!refill(part, item, next))
                return 0;
        } else {
            const Place *p;
            const void *from;
            taken(next, &p, &from);
            if (p->how == AS_ITEM)
                ((PyFloatObject *)item)->ob_fval = *(const double *)from;
            else
                PyArrayScalar_ASSIGN(item, Double, *(const double *)from);
        }
    }
    return 1;
}

/* The result of a run; not ``again`` where arrays were given for it. */
static PyObject *results(Entrance *e, Ends next, int again)
{
    if (!again)
        return build(e->nest, &next);
    PyObject *made = e->last;
    if (made != NULL && Py_REFCNT(made) == 1) {
        Py_INCREF(made); /* now it is ours: where memory is made, a finalizer may call this entrance */
        if (refill(e->nest, made, &next))
            return made;
        Py_DECREF(made);
        return NULL;
    }
    made = build(e->nest, &next);
    if (made != NULL) {
        Py_INCREF(made);
        Py_XSETREF(e->last, made);
    }
    return made;
}
"""
