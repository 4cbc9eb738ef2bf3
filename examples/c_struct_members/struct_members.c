/* References in the members of a C struct.

   Node shows one field of each kind that there is:

       payload   open       any object will do
       meta      typed      a dict: C code calls PyDict_SetItem() on it
       parent    checked    another Node: C code casts it to NodeObject *
       labels    checked    a tuple with one item for each of the weights:
                            C code reads it without looking at its size
       scorer    checked    a callable
       scratch   kept       a list that is private to this node

   What is typed is a question about the C code and not about the field: if
   some C function uses the field without looking at what it is, then another
   object in its place is a crash, and the field is typed. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>

typedef struct node {
    PyObject_HEAD
    PyObject *payload;      /* NULL if there is none */
    PyObject *meta;         /* this and the next: NULL only after tp_clear */
    PyObject *labels;
    PyObject *scratch;
    struct node *parent;    /* NULL for a root */
    PyObject *scorer;       /* NULL if there is none */
    Py_ssize_t n;
    double *weights;        /* n of them */
} NodeObject;

static void node_dealloc(PyObject *op);

/* Is it laid out like a NodeObject?  The chain of tp_base is the chain of
   layouts, and only types that have ours end in our tp_dealloc.  Looking the
   type up in the module would say the same, but needs an MRO, which a type that
   is being torn down has lost. */
static int
is_node(PyObject *op)
{
    for (PyTypeObject *tp = Py_TYPE(op); tp != NULL; tp = tp->tp_base) {
        if (tp->tp_dealloc == node_dealloc) {
            return 1;
        }
    }
    return 0;
}

static int
node_traverse(PyObject *op, visitproc visit, void *arg)
{
    NodeObject *self = (NodeObject *)op;
    Py_VISIT(self->payload);
    Py_VISIT(self->meta);
    Py_VISIT(self->parent);
    Py_VISIT(self->labels);
    Py_VISIT(self->scorer);
    Py_VISIT(self->scratch);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

/* --- begin: replacement of references --- */

/* The answers of the checked fields: no Python code, no exception, and the same
   answer for as long as the node stays as it is. */

static PyChangeVerdict
accept_parent(PyObject *Py_UNUSED(self), PyObject *replacement)
{
    return is_node(replacement) ? Py_CHANGE_ACCEPT : Py_CHANGE_REFUSE;
}

static PyChangeVerdict
accept_labels(PyObject *self, PyObject *replacement)
{
    return (PyTuple_Check(replacement)
            && PyTuple_GET_SIZE(replacement) == ((NodeObject *)self)->n)
           ? Py_CHANGE_ACCEPT : Py_CHANGE_REFUSE;
}

/* The twin of node_traverse(): the same references in the same order.  The
   macros take the member itself; a copy of it in a local variable would be
   changed instead of the node. */
static int
node_traverse_change(PyObject *op, visitchangeproc visit, void *arg)
{
    NodeObject *self = (NodeObject *)op;
    Py_VISIT_CHANGE(self->payload);
    Py_VISIT_CHANGE_TYPED(self->meta, &PyDict_Type);
    Py_VISIT_CHANGE_CHECKED(self, self->parent, accept_parent, "a Node");
    Py_VISIT_CHANGE_CHECKED(self, self->labels, accept_labels,
                            "a tuple with one label per weight");
    Py_VISIT_CHANGE_CHECKED(self, self->scorer, Py_ChangeCallable,
                            "callable");
    Py_VISIT_CHANGE_CHECKED(self, self->scratch, Py_ChangeKeep,
                            "the private list of its node");
    Py_VISIT_CHANGE_TYPE(self);
    return 0;
}

/* --- end --- */

/* The generic function clears the open fields.  What it leaves alone is cleared
   here: each of them can be part of a cycle (a tuple has no tp_clear), and
   every function below can bear that it is NULL. */
static int
node_clear(PyObject *op)
{
    NodeObject *self = (NodeObject *)op;
    Py_CLEAR(self->meta);
    Py_CLEAR(self->parent);
    Py_CLEAR(self->labels);
    Py_CLEAR(self->scorer);
    Py_CLEAR(self->scratch);
    return PyObject_GenericClear(op);
}

static void
node_dealloc(PyObject *op)
{
    NodeObject *self = (NodeObject *)op;
    PyTypeObject *tp = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, node_dealloc)
    Py_CLEAR(self->payload);
    Py_CLEAR(self->meta);
    Py_CLEAR(self->parent);
    Py_CLEAR(self->labels);
    Py_CLEAR(self->scorer);
    Py_CLEAR(self->scratch);
    PyMem_Free(self->weights);
    tp->tp_free(op);
    Py_DECREF(tp);
    Py_TRASHCAN_END
}

static PyObject *
node_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"labels", "weights", "payload", "parent",
                               "scorer", NULL};
    PyObject *labels, *weights;
    PyObject *payload = NULL, *parent = NULL, *scorer = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!|$OOO:Node", keywords,
                                     &PyTuple_Type, &labels,
                                     &PyTuple_Type, &weights,
                                     &payload, &parent, &scorer)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(labels) != PyTuple_GET_SIZE(weights)) {
        PyErr_SetString(PyExc_ValueError, "as many labels as weights");
        return NULL;
    }
    if (parent != NULL && !is_node(parent)) {
        PyErr_SetString(PyExc_TypeError, "parent must be a Node");
        return NULL;
    }
    if (scorer != NULL && !PyCallable_Check(scorer)) {
        PyErr_SetString(PyExc_TypeError, "scorer must be callable");
        return NULL;
    }

    NodeObject *self = (NodeObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->n = PyTuple_GET_SIZE(weights);
    self->labels = Py_NewRef(labels);
    self->payload = Py_XNewRef(payload);
    self->parent = (NodeObject *)Py_XNewRef(parent);
    self->scorer = Py_XNewRef(scorer);
    self->meta = PyDict_New();
    self->scratch = PyList_New(0);
    self->weights = PyMem_New(double, self->n);
    if (self->meta == NULL || self->scratch == NULL || self->weights == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_NoMemory();
        }
        Py_DECREF(self);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < self->n; i++) {
        self->weights[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(weights, i));
        if (self->weights[i] == -1.0 && PyErr_Occurred()) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

PyDoc_STRVAR(total_doc,
"total($self, /)\n--\n\n"
"Per label the sum of its weights, or what the scorer makes of each weight.");

/* The code that makes the fields typed: it checks nothing. */
static PyObject *
node_total(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    NodeObject *self = (NodeObject *)op;
    if (self->labels == NULL || self->meta == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *labels = Py_NewRef(self->labels);
    PyObject *totals = PyDict_New();
    for (Py_ssize_t i = 0; totals != NULL && i < self->n; i++) {
        PyObject *label = PyTuple_GET_ITEM(labels, i);
        PyObject *weight = PyFloat_FromDouble(self->weights[i]);
        if (weight != NULL && self->scorer != NULL) {
            PyObject *scorer = Py_NewRef(self->scorer);
            Py_SETREF(weight, PyObject_CallOneArg(scorer, weight));
            Py_DECREF(scorer);
        }
        PyObject *sum = NULL;
        if (weight != NULL) {
            PyObject *before = PyDict_GetItemWithError(totals, label);
            if (before != NULL) {
                sum = PyNumber_Add(before, weight);
            }
            else if (!PyErr_Occurred()) {
                sum = Py_NewRef(weight);
            }
        }
        if (sum == NULL || PyDict_SetItem(totals, label, sum) < 0) {
            Py_CLEAR(totals);
        }
        Py_XDECREF(sum);
        Py_XDECREF(weight);
    }
    Py_DECREF(labels);
    if (totals != NULL && self->meta != NULL
        && PyDict_SetItemString(self->meta, "total", totals) < 0) {
        Py_CLEAR(totals);
    }
    return totals;
}

PyDoc_STRVAR(depth_doc,
"depth($self, /)\n--\n\nThe number of nodes from here to the root.");

static PyObject *
node_depth(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Py_ssize_t depth = 0;
    NodeObject *node = ((NodeObject *)op)->parent;
    while (node != NULL && node != (NodeObject *)op) {
        depth++;
        node = node->parent;        /* not a Node: not a parent */
    }
    return PyLong_FromSsize_t(depth);
}

static PyMethodDef node_methods[] = {
    {"total", node_total, METH_NOARGS, total_doc},
    {"depth", node_depth, METH_NOARGS, depth_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef node_members[] = {
    {"payload", _Py_T_OBJECT, offsetof(NodeObject, payload), 0, NULL},
    {"meta", _Py_T_OBJECT, offsetof(NodeObject, meta), Py_READONLY, NULL},
    {"parent", _Py_T_OBJECT, offsetof(NodeObject, parent), Py_READONLY, NULL},
    {"labels", _Py_T_OBJECT, offsetof(NodeObject, labels), Py_READONLY, NULL},
    {"scorer", _Py_T_OBJECT, offsetof(NodeObject, scorer), Py_READONLY, NULL},
    {"scratch", _Py_T_OBJECT, offsetof(NodeObject, scratch), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot node_slots[] = {
    {Py_tp_doc, "A node with one reference of each kind."},
    {Py_tp_new, node_new},
    {Py_tp_dealloc, node_dealloc},
    {Py_tp_traverse, node_traverse},
    {Py_tp_traverse_change, node_traverse_change},
    {Py_tp_clear, node_clear},
    {Py_tp_methods, node_methods},
    {Py_tp_members, node_members},
    {0, NULL},
};

static PyType_Spec node_spec = {
    .name = "struct_members.Node",
    .basicsize = sizeof(NodeObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = node_slots,
};

/* A type whose references are all open has nothing to write for tp_clear. */

typedef struct {
    PyObject_HEAD
    PyObject *first;
    PyObject *second;
} PairObject;

static int
pair_traverse(PyObject *op, visitproc visit, void *arg)
{
    PairObject *self = (PairObject *)op;
    Py_VISIT(self->first);
    Py_VISIT(self->second);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
pair_traverse_change(PyObject *op, visitchangeproc visit, void *arg)
{
    PairObject *self = (PairObject *)op;
    Py_VISIT_CHANGE(self->first);
    Py_VISIT_CHANGE(self->second);
    Py_VISIT_CHANGE_TYPE(self);
    return 0;
}

static void
pair_dealloc(PyObject *op)
{
    PairObject *self = (PairObject *)op;
    PyTypeObject *tp = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->first);
    Py_CLEAR(self->second);
    tp->tp_free(op);
    Py_DECREF(tp);
}

static PyMemberDef pair_members[] = {
    {"first", Py_T_OBJECT_EX, offsetof(PairObject, first), 0, NULL},
    {"second", Py_T_OBJECT_EX, offsetof(PairObject, second), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot pair_slots[] = {
    {Py_tp_doc, "Two attributes, and the generic tp_clear."},
    {Py_tp_dealloc, pair_dealloc},
    {Py_tp_traverse, pair_traverse},
    {Py_tp_traverse_change, pair_traverse_change},
    {Py_tp_clear, PyObject_GenericClear},
    {Py_tp_members, pair_members},
    {0, NULL},
};

static PyType_Spec pair_spec = {
    .name = "struct_members.Pair",
    .basicsize = sizeof(PairObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = pair_slots,
};

static int
module_exec(PyObject *module)
{
    PyType_Spec *specs[] = {&node_spec, &pair_spec};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(specs); i++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL);
        if (type == NULL) {
            return -1;
        }
        int err = PyModule_AddType(module, (PyTypeObject *)type);
        Py_DECREF(type);
        if (err < 0) {
            return -1;
        }
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "struct_members",
    .m_doc = "References in the members of a C struct.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_struct_members(void)
{
    return PyModuleDef_Init(&module_def);
}
