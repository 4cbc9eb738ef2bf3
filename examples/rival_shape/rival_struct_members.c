/* The rival shape for the type of c_struct_members/: everything but the
   traversal is that of the example. */

#include "../c_struct_members/struct_members.c"
#include "rival.h"

/* --- begin: replacement of references --- */

static int
rival_node_traverse(PyObject *op, rival_visitproc visit, rival_arg *arg)
{
    NodeObject *self = (NodeObject *)op;
    RIVAL_VISIT(PyObject, self->payload);
    RIVAL_VISIT_CHECKED(PyObject, self->meta, PyDict_Check(replacement),
                        "meta must be dict");
    RIVAL_VISIT_CHECKED(struct node, self->parent, is_node(replacement),
                        "parent must be a Node");
    RIVAL_VISIT_CHECKED(PyObject, self->labels,
                        PyTuple_Check(replacement)
                        && PyTuple_GET_SIZE(replacement) == self->n,
                        "labels must be a tuple with one label per weight");
    RIVAL_VISIT_CHECKED(PyObject, self->scorer, PyCallable_Check(replacement),
                        "scorer must be callable");
    if (self->scratch != NULL) {
        PyObject *replacement = visit(self->scratch, arg);
        if (replacement == NULL) {
            return -1;
        }
        if (replacement != self->scratch) {
            arg->give_back(arg, replacement);
        }
    }
    RIVAL_VISIT_TYPE(op);
    return 0;
}

/* --- end --- */

static rival_slots node_rival = {rival_node_traverse, NULL};

static int
rival_exec(PyObject *module)
{
    if (module_exec(module) < 0) {
        return -1;
    }
    PyObject *type = PyObject_GetAttrString(module, "Node");
    int err = type ? rival_add_slots(type, &node_rival) : -1;
    Py_XDECREF(type);
    return err;
}

static PyModuleDef_Slot rival_module_slots[] = {
    {Py_mod_exec, rival_exec},
    {0, NULL},
};

static PyModuleDef rival_module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "rival_struct_members",
    .m_slots = rival_module_slots,
};

PyMODINIT_FUNC
PyInit_rival_struct_members(void)
{
    return PyModuleDef_Init(&rival_module_def);
}
