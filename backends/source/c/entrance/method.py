"""The extension through which Python calls compiled programs, last part: the method of what users call."""

from __future__ import annotations

__all__ = ["METHOD"]

#: What every call of a :class:`wengert.backends.called.Called` goes through.
METHOD = r"""
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *owner, *chain, *wrapped, *otherwise;
    Py_ssize_t links, first; /* where a Called has its Entrances, and these their first */
} Method;

static PyObject *method_call(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    const Method *m = (Method *)self;
    const Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count == 0 || !PyObject_TypeCheck(args[0], (PyTypeObject *)m->owner))
        return PyObject_Vectorcall(m->wrapped, args, flags, names);
    PyObject *links = *(PyObject **)((char *)args[0] + m->links);
    if (links != NULL && (PyObject *)Py_TYPE(links) == m->chain) {
        PyObject *first = *(PyObject **)((char *)links + m->first);
        Py_INCREF(first);
        PyObject *result = PyObject_Vectorcall(first, args + 1, (size_t)count - 1, names);
        Py_DECREF(first);
        if (result != Py_NotImplemented)
            return result;
        Py_DECREF(result);
    }
    return PyObject_VectorcallMethod(m->otherwise, args, flags, names);
}

static PyObject *method_get(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    if (object != NULL)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

/* Its name, and all else, is that of the method in Python. */
static PyObject *method_attribute(PyObject *self, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr(self, name);
    if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    PyErr_Clear();
    return PyObject_GetAttr(((Method *)self)->wrapped, name);
}

static int method_traverse(PyObject *self, visitproc visit, void *arg)
{
    Method *m = (Method *)self;
    Py_VISIT(m->owner); Py_VISIT(m->chain); Py_VISIT(m->wrapped); Py_VISIT(m->otherwise);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int method_clear(PyObject *self)
{
    Method *m = (Method *)self;
    Py_CLEAR(m->owner); Py_CLEAR(m->chain); Py_CLEAR(m->wrapped); Py_CLEAR(m->otherwise);
    return 0;
}

static void method_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    method_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef method_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Method, call), READONLY, NULL},
    {"__wrapped__", T_OBJECT, offsetof(Method, wrapped), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot method_slots[] = {
    {Py_tp_call, PyVectorcall_Call}, {Py_tp_members, method_members}, {Py_tp_descr_get, method_get},
    {Py_tp_getattro, method_attribute},
    {Py_tp_traverse, method_traverse}, {Py_tp_clear, method_clear}, {Py_tp_dealloc, method_free}, {0, NULL},
};
static PyType_Spec method_spec = {
    "wengert.Method", sizeof(Method), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR
        | Py_TPFLAGS_DISALLOW_INSTANTIATION, method_slots,
};

static Py_ssize_t slot(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    const Py_ssize_t at = found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type)
        ? ((PyMemberDescrObject *)found)->d_member->offset : 0;
    Py_XDECREF(found);
    return at;
}

/* Of Called, Entrances, and Called.__call__ as it is in Python. */
PyObject *wengert_method(PyObject *owner, PyObject *chain, PyObject *wrapped)
{
    const Py_ssize_t links = slot(owner, "_entrances"), first = slot(chain, "first");
    PyObject *otherwise = PyUnicode_InternFromString("_called");
    PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(&method_spec);
    Method *m = links && first && otherwise != NULL && type != NULL ? (Method *)type->tp_alloc(type, 0) : NULL;
    Py_XDECREF(type);
    if (m == NULL) {
        Py_XDECREF(otherwise);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "A slot is missing.");
        return NULL;
    }
    Py_INCREF(owner); Py_INCREF(chain); Py_INCREF(wrapped);
    m->call = method_call;
    m->owner = owner;
    m->chain = chain;
    m->wrapped = wrapped;
    m->otherwise = otherwise;
    m->links = links;
    m->first = first;
    return (PyObject *)m;
}
"""
