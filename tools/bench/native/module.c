#include "hand.h"
#include "small.c"
#include "learning.c"
#include "mixture.c"
#include "loops.c"
#include "matrices.c"

#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}
static PyMethodDef methods[] = {FAST(product), FAST(rosenbrock), FAST(hvp), FAST(xor), FAST(logistic), FAST(mlp),
    FAST(gmm), FAST(lstm), FAST(lotka), FAST(elementwise), FAST(reprojection), FAST(layered), FAST(penalised), FAST(rosenbrock_new), FAST(hvp_new),
    FAST(xor_new), {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hand", NULL, -1, methods};

/* A function of BLAS, from the capsule in which SciPy exports it. */
static void *blas(PyObject *functions, const char *name)
{
    PyObject *capsule = functions ? PyDict_GetItemString(functions, name) : NULL;
    return capsule ? PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)) : NULL;
}

PyMODINIT_FUNC PyInit_hand(void)
{
    import_array();
    PyObject *module = PyImport_ImportModule("scipy.linalg.cython_blas");
    PyObject *functions = module ? PyObject_GetAttrString(module, "__pyx_capi__") : NULL;
    dgemm = (gemm_t *)blas(functions, "dgemm");
    dgemv = (gemv_t *)blas(functions, "dgemv");
    dsyrk = (syrk_t *)blas(functions, "dsyrk");
    return dgemm && dgemv && dsyrk ? PyModule_Create(&definition) : NULL;
}
