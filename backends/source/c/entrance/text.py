"""The extension through which Python calls compiled programs: one text for every program."""

from __future__ import annotations

from wengert.backends.source.c.entrance.memory import MEMORY
from wengert.backends.source.c.entrance.method import METHOD
from wengert.backends.source.c.entrance.values import VALUES

__all__ = ["TEXT"]

#: How an ``Entrance`` is called and made, and the function that gives the type.
CALLS = r"""
static int is_chosen(const Entrance *e)
{
    PyObject *value = NULL;
    if (PyContextVar_Get(e->chosen, NULL, &value) < 0 || value == NULL) {
        PyErr_Clear();
        return 0;
    }
    int same;
    if (PyUnicode_Check(value) && PyUnicode_GET_LENGTH(value))
        same = PyUnicode_Compare(value, e->backend) == 0;
    else {
        const char *name = getenv("WENGERT_BACKEND");
        same = PyUnicode_CompareWithASCIIString(e->backend, name != NULL && *name ? name : "numpy") == 0;
    }
    Py_DECREF(value);
    return same;
}

static int is_traced(const Entrance *e)
{
    PyObject *value = NULL;
    if (PyContextVar_Get(e->trace, NULL, &value) < 0 || value == NULL) {
        PyErr_Clear();
        return 1;
    }
    const int traced = value != Py_None;
    Py_DECREF(value);
    return traced;
}

/* Whether names of modules and closures are what they were. */
static int is_same(const Entrance *e)
{
    if (e->same == Py_None)
        return 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(e->same); k++) {
        PyObject *row = PyTuple_GET_ITEM(e->same, k), *holder = PyTuple_GET_ITEM(row, 0), *now;
        if (PyCell_Check(holder))
            now = PyCell_GET(holder);
        else if ((now = PyDict_GetItemWithError(holder, PyTuple_GET_ITEM(row, 1))) == NULL)
            PyErr_Clear();
        if (now != PyTuple_GET_ITEM(row, 2))
            return 0;
    }
    return 1;
}

static int run(const Entrance *e, const void *const *inputs, void *const *outputs, void *work)
{
    union { void *pointer; hosted_t *hosted; shared_t *shared; } entry = {e->entry};
    if (e->whole != NULL)
        return entry.shared(e->whole, e->real, inputs, outputs, work, e->constants, e->callback);
    return entry.hosted(inputs, outputs, work, e->constants, e->callback);
}

/* The leaves of the arguments, of defaults and of what is captured; whether there are as many as wanted. */
static int gather(const Entrance *e, PyObject *const *args, PyObject *extra, PyObject **leaves)
{
    Py_ssize_t n = 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(e->arguments); k++)
        if (!collect(PyTuple_GET_ITEM(e->arguments, k), args[k], leaves, &n, e->ins))
            return 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(e->rest) && n < e->ins; k++)
        leaves[n++] = PyTuple_GET_ITEM(e->rest, k);
    for (Py_ssize_t k = 0; extra != NULL && k < PyTuple_GET_SIZE(extra) && n < e->ins; k++)
        leaves[n++] = PyTuple_GET_ITEM(extra, k);
    return n == e->ins;
}

/* Whether every output has a place: an array that is given, a new one, one in the workspace, or a number. */
static int prepare(const Entrance *e, const void *const *inputs, PyObject **given, PyObject **made, void **outputs,
    Number *numbers, char *work)
{
    for (Py_ssize_t k = 0; k < e->outs; k++) {
        const Place *p = e->out + k;
        PyObject *wanted = given != NULL && p->how < DROPPED ? *given++ : Py_None;
        outputs[k] = numbers + k;
        if (wanted != Py_None) {
            if ((outputs[k] = target(wanted, p, e, inputs)) == NULL)
                return 0;
            for (Py_ssize_t j = 0; j < k; j++)
                if ((char *)outputs[j] < (char *)outputs[k] + p->bytes
                        && (char *)outputs[k] < (char *)outputs[j] + e->out[j].bytes)
                    return 0;
            Py_INCREF(wanted);
            made[k] = wanted;
        } else if (p->how == AS_ARRAY) {
            if ((made[k] = new_array(p)) == NULL)
                return 0;
            outputs[k] = PyArray_DATA((PyArrayObject *)made[k]);
        } else if (p->ndim)
            outputs[k] = work + p->place;
    }
    return 1;
}

static int holds(const Entrance *e, void *const *outputs)
{
    for (Py_ssize_t k = 0; k < e->outs; k++)
        if (e->out[k].how > DROPPED && (*(const unsigned char *)outputs[k] != 0) != (e->out[k].how == IS_TRUE))
            return 0;
    return 1;
}

/* The result; NULL without an exception where this call is not one for the program. */
static PyObject *attempt(Entrance *e, PyObject *const *args, PyObject *extra, PyObject *out)
{
    PyObject *found[e->ins + 1], *const *leaves = args, *made[e->outs + 1], *given[e->outs + 1];
    const void *inputs[e->ins + 1];
    void *outputs[e->outs + 1];
    Number numbers[e->ins + e->outs + 1];
    if (!e->flat || extra != NULL) {
        if (!gather(e, args, extra, found))
            return NULL;
        leaves = found;
    }
    for (Py_ssize_t k = 0; k < e->ins; k++)
        if ((inputs[k] = elements(leaves[k], e->in + k, numbers + k)) == NULL)
            return NULL;
    if (out != NULL) {
        Py_ssize_t n = 0;
        if (!collect(e->nest, out, given, &n, e->outs) || n != e->kept)
            return NULL;
    }

    char *work = NULL;
    if (e->needs) {
        if (!e->busy && e->work != NULL)
            work = e->work;
        else if ((work = PyMem_RawMalloc(e->needs)) == NULL)
            return PyErr_NoMemory();
        else if (!e->busy)
            e->work = work;
        e->busy |= work == e->work;
    }
    memset(made, 0, sizeof made);
    /* while memory is made or other threads run, lists that hold arguments, or places for results, may be emptied */
    const int held = leaves == found || e->release;
    for (Py_ssize_t k = 0; held && k < e->ins; k++)
        Py_INCREF(leaves[k]);
    for (Py_ssize_t k = 0; out != NULL && k < e->kept; k++)
        Py_INCREF(given[k]);
    int failed = !prepare(e, inputs, out == NULL ? NULL : given, made, outputs, numbers + e->ins, work);
    if (!failed && e->release) {
        Py_BEGIN_ALLOW_THREADS
        failed = run(e, inputs, outputs, work);
        Py_END_ALLOW_THREADS
    } else if (!failed)
        failed = run(e, inputs, outputs, work);
    for (Py_ssize_t k = 0; out != NULL && k < e->kept; k++)
        Py_DECREF(given[k]);
    for (Py_ssize_t k = 0; held && k < e->ins; k++)
        Py_DECREF(leaves[k]);
    PyObject *result = NULL;
    if (!failed && (!e->guarded || holds(e, outputs)))
        result = results(e, (Ends){e->out, made, outputs}, e->again && out == NULL);
    if (work != NULL && work == e->work)
        e->busy = 0;
    else
        PyMem_RawFree(work);
    if (result == NULL)
        for (Py_ssize_t k = 0; k < e->outs; k++)
            Py_XDECREF(made[k]);
    else if (e->finish != Py_None)
        Py_SETREF(result, PyObject_CallOneArg(e->finish, result));
    return result;
}

static PyObject *entrance_call(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    Entrance *e = (Entrance *)self;
    const Py_ssize_t count = PyVectorcall_NARGS(flags), named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    PyObject *out = NULL, *extra = NULL, *result = NULL;
    int here = count == PyTuple_GET_SIZE(e->arguments) && (e->trace == Py_None || !is_traced(e))
        && (e->chosen == Py_None || is_chosen(e));
    if (here && named) {
        here = e->writes && named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "out") == 0;
        out = args[count] == Py_None ? NULL : args[count];
    }
    if (here && e->around != Py_None && !is_same(e)) {
        if ((extra = PyObject_CallNoArgs(e->around)) == NULL)
            return NULL;
        here = PyTuple_CheckExact(extra);
    }
    if (here)
        result = attempt(e, args, extra, out);
    Py_XDECREF(extra);
    if (result != NULL || (here && PyErr_Occurred()))
        return result;
    PyObject *otherwise = e->otherwise;
    if (otherwise == Py_None)
        Py_RETURN_NOTIMPLEMENTED;
    Py_INCREF(otherwise);
    result = PyObject_Vectorcall(otherwise, args, (size_t)count, names);
    Py_DECREF(otherwise);
    return result;
}

static Place *places(PyObject *rows)
{
    const Py_ssize_t n = PyTuple_GET_SIZE(rows);
    Place *all = PyMem_Calloc(n + 1, sizeof(Place));
    if (all == NULL)
        return (Place *)PyErr_NoMemory();
    for (Py_ssize_t k = 0; k < n; k++) {
        PyObject *dtype, *shape;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(rows, k), "O!O!i", &PyArrayDescr_Type, &dtype, &PyTuple_Type, &shape,
                &all[k].how))
            return all;
        Py_INCREF(dtype);
        all[k].dtype = (PyArray_Descr *)dtype;
        all[k].ndim = (int)PyTuple_GET_SIZE(shape);
        all[k].bytes = PyDataType_ELSIZE(all[k].dtype);
        if ((all[k].shape = PyMem_Calloc(all[k].ndim + 1, sizeof(npy_intp))) == NULL) {
            PyErr_NoMemory();
            return all;
        }
        for (int i = 0; i < all[k].ndim; i++) {
            all[k].shape[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, i));
            all[k].bytes *= all[k].shape[i];
        }
    }
    return all;
}

static PyObject *entrance_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(names))
{
    unsigned long long entry, whole, real, constants, callback, own;
    PyObject *arguments, *rest, *around, *in, *out, *nest, *finish, *trace, *chosen, *backend, *holds, *otherwise;
    PyObject *same;
    int release, writes;
    if (!PyArg_ParseTuple(args, "KKKKKKiiO!O!OO!O!OOOOOOOO", &entry, &whole, &real, &constants, &callback, &own,
            &release, &writes, &PyTuple_Type, &arguments, &PyTuple_Type, &rest, &around, &PyTuple_Type, &in,
            &PyTuple_Type, &out, &nest, &finish, &trace, &chosen, &backend, &holds, &otherwise, &same))
        return NULL;
    Entrance *e = (Entrance *)type->tp_alloc(type, 0);
    if (e == NULL)
        return NULL;
    e->call = entrance_call;
    e->entry = (void *)(uintptr_t)entry;
    e->whole = (void *)(uintptr_t)whole;
    e->real = (void *)(uintptr_t)real;
    e->constants = (const void *const *)(uintptr_t)constants;
    e->callback = (void *)(uintptr_t)callback;
    e->release = release;
    e->writes = writes;
#define KEEP(name) Py_INCREF(name); e->name = name
    KEEP(arguments); KEEP(rest); KEEP(around); KEEP(nest); KEEP(finish); KEEP(trace); KEEP(chosen);
    KEEP(backend); KEEP(holds); KEEP(otherwise); KEEP(same);
    if ((e->in = places(in)) != NULL)
        e->ins = PyTuple_GET_SIZE(in);
    if ((e->out = places(out)) != NULL)
        e->outs = PyTuple_GET_SIZE(out);
    if (PyErr_Occurred()) {
        Py_DECREF(e);
        return NULL;
    }
    e->flat = PyTuple_GET_SIZE(arguments) == e->ins;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(arguments); k++)
        e->flat &= PyTuple_GET_ITEM(arguments, k) == Py_None;
    e->again = is_reusable(nest, e->out, e->outs) && finish == Py_None;
    e->needs = (size_t)own;
    for (Py_ssize_t k = 0; k < e->outs; k++) {
        e->kept += e->out[k].how < DROPPED;
        e->guarded |= e->out[k].how > DROPPED;
        if (e->out[k].how >= DROPPED && e->out[k].ndim) {
            e->out[k].place = (e->needs + LINE - 1) / LINE * LINE;
            e->needs = e->out[k].place + e->out[k].bytes + 1;
        }
    }
    return (PyObject *)e;
}

#define EACH(DO) DO(arguments) DO(rest) DO(around) DO(nest) DO(finish) DO(trace) DO(chosen) DO(backend) DO(holds) \
    DO(otherwise) DO(same)

static int entrance_traverse(PyObject *self, visitproc visit, void *arg)
{
    Entrance *e = (Entrance *)self;
#define VISIT(name) Py_VISIT(e->name);
    EACH(VISIT)
    Py_VISIT(Py_TYPE(self));
    return 0;
}

/* Only what can be part of a cycle, and is never read without a look. */
static int entrance_clear(PyObject *self)
{
    Entrance *e = (Entrance *)self;
    PyObject *none = Py_None;
#define CLEAR(name) { PyObject *was = e->name; Py_INCREF(none); e->name = none; Py_XDECREF(was); }
    CLEAR(around) CLEAR(finish) CLEAR(otherwise) CLEAR(same)
    return 0;
}

static void entrance_free(PyObject *self)
{
    Entrance *e = (Entrance *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
#define DROP(name) Py_CLEAR(e->name);
    EACH(DROP)
    for (Py_ssize_t k = 0; e->in != NULL && k < e->ins; k++) {
        Py_XDECREF(e->in[k].dtype);
        PyMem_Free(e->in[k].shape);
    }
    for (Py_ssize_t k = 0; e->out != NULL && k < e->outs; k++) {
        Py_XDECREF(e->out[k].dtype);
        PyMem_Free(e->out[k].shape);
    }
    PyMem_Free(e->in);
    PyMem_Free(e->out);
    PyMem_RawFree(e->work);
    Py_XDECREF(e->last);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef entrance_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Entrance, call), READONLY, NULL},
    {"otherwise", T_OBJECT_EX, offsetof(Entrance, otherwise), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot entrance_slots[] = {
    {Py_tp_new, entrance_new}, {Py_tp_call, PyVectorcall_Call}, {Py_tp_members, entrance_members},
    {Py_tp_traverse, entrance_traverse}, {Py_tp_clear, entrance_clear}, {Py_tp_dealloc, entrance_free}, {0, NULL},
};
static PyType_Spec entrance_spec = {
    "wengert.Entrance", sizeof(Entrance), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, entrance_slots,
};

/* The type; called with the GIL. */
PyObject *wengert_entrance(void)
{
    if (_import_array() < 0 || !can_keep())
        return NULL;
    return PyType_FromSpec(&entrance_spec);
}
"""
TEXT = VALUES + MEMORY + CALLS + METHOD
