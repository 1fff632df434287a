/* What every row shares.  libm's functions are declared to have vector forms, which glibc keeps in libmvec. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_max_threads() 1
#define omp_get_num_threads() 1
#define omp_get_thread_num() 0
#endif

#ifdef HAND_SIMD
#define SIMD __attribute__((simd("notinbranch")))
#else
#define SIMD
#endif
SIMD double exp(double);
SIMD double log(double);
SIMD double log1p(double);
SIMD double sin(double);
SIMD double cos(double);
SIMD double tanh(double);
double sqrt(double);
double fma(double, double, double);

typedef long long size;

/* The data of argument i, and how long it is along an axis. */
#define AT(i) ((double *)PyArray_DATA((PyArrayObject *)args[i]))
#define LONG(i, axis) ((size)PyArray_DIM((PyArrayObject *)args[i], axis))
#define ROW(name) static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t count)

/* Fortran's: c = alpha a b + beta c, all of them column-major. */
typedef void gemm_t(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *, double *,
                    double *, int *);
typedef void gemv_t(char *, int *, int *, double *, double *, int *, double *, int *, double *, double *, int *);
typedef void syrk_t(char *, char *, int *, int *, double *, double *, int *, double *, double *, int *);
static gemm_t *dgemm;
static gemv_t *dgemv;
static syrk_t *dsyrk;

/* c[m,n] = beta c + op(a) op(b), row-major: the same as c' = op(b)' op(a)' for Fortran. */
static void product_of(int ta, int tb, size m, size n, size k, const double *a, size lda, const double *b, size ldb,
                       double beta, double *c, size ldc)
{
    int M = (int)m, N = (int)n, K = (int)k, LA = (int)lda, LB = (int)ldb, LC = (int)ldc;
    double one = 1.0;
    dgemm(tb ? "T" : "N", ta ? "T" : "N", &N, &M, &K, &one, (double *)b, &LB, (double *)a, &LA, &beta, c, &LC);
}

/* A function that returns its results in new arrays, shaped as some of the arguments: (value, array, ...). */
typedef PyObject *row_t(PyObject *, PyObject *const *, Py_ssize_t);
static PyObject *with_new(row_t *row, PyObject *const *args, Py_ssize_t count, const int *like, int results)
{
    PyObject *more[16], *out = PyTuple_New(results + 1);
    memcpy(more, args, count * sizeof *args);
    for (int i = 0; i < results; i++) {
        PyArrayObject *its = (PyArrayObject *)args[like[i]];
        int plain = PyFloat_CheckExact(args[like[i]]);
        more[count + i] = PyArray_SimpleNew(plain ? 0 : PyArray_NDIM(its), plain ? NULL : PyArray_DIMS(its), NPY_DOUBLE);
        PyTuple_SET_ITEM(out, i + 1, more[count + i]);
    }
    PyTuple_SET_ITEM(out, 0, row(NULL, more, count + results));
    return out;
}
#define NEW(name, ...)                                                                             \
    ROW(name##_new)                                                                                \
    {                                                                                              \
        static const int like[] = {__VA_ARGS__};                                                   \
        return with_new(name, args, count, like, (int)(sizeof like / sizeof *like));               \
    }
