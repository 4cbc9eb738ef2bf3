/* An extension type module as it was written, and is compiled, for the unpatched interpreter:
   nothing here knows of tp_traverse_change. */

#include <Python.h>

#ifdef Py_TPFLAGS_HAVE_TRAVERSE_CHANGE
#error "this is to be compiled against the headers of the unpatched interpreter"
#endif

typedef struct {
    PyObject_HEAD
    PyObject *held;
} Holder;

static int
holder_traverse(Holder *self, visitproc visit, void *arg)
{
    Py_VISIT(self->held);
    return 0;
}

static int
holder_clear(Holder *self)
{
    Py_CLEAR(self->held);
    return 0;
}

static void
holder_dealloc(Holder *self)
{
    PyObject_GC_UnTrack(self);
    holder_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static int
holder_init(Holder *self, PyObject *args, PyObject *kwargs)
{
    PyObject *held;
    if (!PyArg_ParseTuple(args, "O", &held)) {
        return -1;
    }
    Py_XSETREF(self->held, Py_NewRef(held));
    return 0;
}

static PyObject *
holder_get(Holder *self, void *unused)
{
    return Py_NewRef(self->held ? self->held : Py_None);
}

static PyGetSetDef holder_getset[] = {
    {"held", (getter)holder_get},
    {NULL},
};

/* A static type with references of its own. The field that nobody used may hold anything. */
static PyTypeObject StaticHolder = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "made_before.StaticHolder",
    .tp_basicsize = sizeof(Holder),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_traverse = (traverseproc)holder_traverse,
    .tp_clear = (inquiry)holder_clear,
    .tp_dealloc = (destructor)holder_dealloc,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)holder_init,
    .tp_getset = holder_getset,
    .tp_cache = (PyObject *)&PyBaseObject_Type,
};

/* Instances of a heap type hold their type. */
static int
heap_holder_traverse(Holder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return holder_traverse(self, visit, arg);
}

static void
heap_holder_dealloc(Holder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    holder_dealloc(self);
    Py_DECREF(type);
}

static PyType_Slot holder_slots[] = {
    {Py_tp_traverse, heap_holder_traverse},
    {Py_tp_clear, holder_clear},
    {Py_tp_dealloc, heap_holder_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, holder_init},
    {Py_tp_getset, holder_getset},
    {0, NULL},
};

static PyType_Spec holder_spec = {
    "made_before.HeapHolder", sizeof(Holder), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, holder_slots,
};

/* Lists: one inherits tp_traverse, the other has its own and takes nothing from the base. */
static PyTypeObject PlainList = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "made_before.PlainList",
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_base = &PyList_Type,
};

static int
own_traverse(PyObject *self, visitproc visit, void *arg)
{
    return PyList_Type.tp_traverse(self, visit, arg);
}

static int
own_clear(PyObject *self)
{
    return PyList_Type.tp_clear(self);
}

static PyTypeObject OwnTraverseList = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "made_before.OwnTraverseList",
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_traverse = own_traverse,
    .tp_clear = own_clear,
    .tp_base = &PyList_Type,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "made_before", NULL, -1};

PyMODINIT_FUNC
PyInit_made_before(void)
{
    PyObject *m = PyModule_Create(&module);
    PyObject *heap = PyType_FromSpec(&holder_spec);
    if (m == NULL || heap == NULL
        || PyModule_AddType(m, &StaticHolder) < 0
        || PyModule_AddType(m, (PyTypeObject *)heap) < 0
        || PyModule_AddType(m, &PlainList) < 0
        || PyModule_AddType(m, &OwnTraverseList) < 0)
    {
        return NULL;
    }
    return m;
}
