/* Do the two traversals of an object agree?

   parity.references(obj)   what tp_traverse reports, in order, and the same of
                            tp_traverse_change: a pair of lists
   parity.check(obj)        AssertionError unless these are the same objects in
                            the same order

   For the tests of extension modules.  Nothing is changed: the visitor does not
   call change(). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

static int
collect(PyObject *current, void *arg)
{
    return PyList_Append((PyObject *)arg, current);
}

static int
collect_change(PyObject *current, changeproc Py_UNUSED(change),
               void *Py_UNUSED(slot), void *arg)
{
    return PyList_Append((PyObject *)arg, current);
}

static PyObject *
parity_references(PyObject *Py_UNUSED(module), PyObject *op)
{
    PyTypeObject *tp = Py_TYPE(op);
    if (tp->tp_traverse == NULL) {
        return Py_BuildValue("[][]");
    }
    if (!PyType_HasFeature(tp, Py_TPFLAGS_HAVE_TRAVERSE_CHANGE)) {
        PyErr_Format(PyExc_TypeError, "type '%.100s' has no tp_traverse_change",
                     tp->tp_name);
        return NULL;
    }
    PyObject *plain = PyList_New(0);
    PyObject *change = PyList_New(0);
    PyObject *result = NULL;
    if (plain != NULL && change != NULL
        && tp->tp_traverse(op, collect, plain) == 0
        && tp->tp_traverse_change(op, collect_change, change) == 0) {
        result = PyTuple_Pack(2, plain, change);
    }
    Py_XDECREF(plain);
    Py_XDECREF(change);
    return result;
}

static PyObject *
parity_check(PyObject *module, PyObject *op)
{
    PyObject *both = parity_references(module, op);
    if (both == NULL) {
        return NULL;
    }
    PyObject *plain = PyTuple_GET_ITEM(both, 0);
    PyObject *change = PyTuple_GET_ITEM(both, 1);
    int same = PyList_GET_SIZE(plain) == PyList_GET_SIZE(change);
    for (Py_ssize_t i = 0; same && i < PyList_GET_SIZE(plain); i++) {
        same = PyList_GET_ITEM(plain, i) == PyList_GET_ITEM(change, i);
    }
    if (!same) {
        PyErr_Format(PyExc_AssertionError,
                     "type '%.100s': tp_traverse reports %R, "
                     "tp_traverse_change reports %R",
                     Py_TYPE(op)->tp_name, plain, change);
    }
    Py_DECREF(both);
    return same ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef parity_methods[] = {
    {"references", parity_references, METH_O, NULL},
    {"check", parity_check, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "parity",
    .m_doc = "Compares tp_traverse and tp_traverse_change.",
    .m_methods = parity_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_parity(void)
{
    return PyModuleDef_Init(&module_def);
}
