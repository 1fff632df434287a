"""The extension through which Python calls compiled programs: the memory of large results.

A result of 80 MB is memory that the system has to find and fill with zeros, page by page: 30 ms, beside 70 ms for
what is then written there.  What a caller lets go of is kept for the next result of its size, of whichever program.
"""

from __future__ import annotations

__all__ = ["MEMORY"]

#: Arrays made here are NumPy's in all but where their memory comes from, and goes (NEP 49).
MEMORY = r"""
/* From how many bytes on memory is kept (what is smaller malloc keeps), at most how many pieces, and bytes in all. */
enum { LARGE = 1 << 17, PIECES = 8, MOST = 1 << 28 };

static struct { void *data; size_t bytes; } pieces[PIECES];  /* the oldest first; with the GIL */
static size_t kept;
static PyDataMem_Handler *plain;
static PyObject *keeping;

/* Piece k is no longer kept. */
static void *take_out(int k)
{
    void *data = pieces[k].data;
    kept -= pieces[k].bytes;
    for (; k + 1 < PIECES; k++)
        pieces[k] = pieces[k + 1];
    pieces[PIECES - 1].data = NULL;
    pieces[PIECES - 1].bytes = 0;
    return data;
}

static void *keeping_malloc(void *Py_UNUSED(context), size_t bytes)
{
    for (int k = PIECES - 1; k >= 0; k--)
        if (pieces[k].data != NULL && pieces[k].bytes == bytes)
            return take_out(k);
    void *data = plain->allocator.malloc(plain->allocator.ctx, bytes);
    while (data == NULL && kept) { /* before there is none, what is kept */
        const size_t its = pieces[0].bytes;
        plain->allocator.free(plain->allocator.ctx, take_out(0), its);
        data = plain->allocator.malloc(plain->allocator.ctx, bytes);
    }
    return data;
}

static void *keeping_calloc(void *Py_UNUSED(context), size_t count, size_t bytes)
{
    return plain->allocator.calloc(plain->allocator.ctx, count, bytes);
}

static void *keeping_realloc(void *Py_UNUSED(context), void *data, size_t bytes)
{
    return plain->allocator.realloc(plain->allocator.ctx, data, bytes);
}

static void keeping_free(void *Py_UNUSED(context), void *data, size_t bytes)
{
    if (data == NULL || bytes < LARGE || bytes > MOST) {
        plain->allocator.free(plain->allocator.ctx, data, bytes);
        return;
    }
    while (kept + bytes > MOST || pieces[PIECES - 1].data != NULL) {
        const size_t its = pieces[0].bytes;
        plain->allocator.free(plain->allocator.ctx, take_out(0), its);
    }
    int k = 0;
    while (pieces[k].data != NULL)
        k++;
    pieces[k].data = data;
    pieces[k].bytes = bytes;
    kept += bytes;
}

static PyDataMem_Handler handler = {
    "wengert", 1, {NULL, keeping_malloc, keeping_calloc, keeping_realloc, keeping_free},
};

/* Once, when NumPy is there. */
static int can_keep(void)
{
    PyObject *const usual = PyDataMem_DefaultHandler;
    plain = PyCapsule_GetPointer(usual, "mem_handler");
    if (plain == NULL || (keeping == NULL && (keeping = PyCapsule_New(&handler, "mem_handler", NULL)) == NULL))
        return 0;
    return 1;
}

/* A result to be; where the user has a handler of their own, by that. */
static PyObject *new_array(const Place *p)
{
    PyObject *before = NULL, *made;
    if (p->bytes >= LARGE) {
        if ((before = PyDataMem_GetHandler()) == NULL)
            return NULL;
        const int usual = before == PyDataMem_DefaultHandler;
        Py_DECREF(before);
        before = NULL;
        if (usual && (before = PyDataMem_SetHandler(keeping)) == NULL)
            return NULL;
    }
    Py_INCREF(p->dtype);
    made = PyArray_NewFromDescr(&PyArray_Type, p->dtype, p->ndim, p->shape, NULL, NULL, 0, NULL);
    if (before != NULL) {
        PyObject *ours = PyDataMem_SetHandler(before);
        Py_DECREF(before);
        if (ours == NULL)
            Py_CLEAR(made);
        Py_XDECREF(ours);
    }
    return made;
}
"""
