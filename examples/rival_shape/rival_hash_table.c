/* The rival shape for the type of c_hash_table/: everything but the traversal
   is that of the example, the repair too. */

#include "../c_hash_table/hash_table.c"
#include "rival.h"

/* --- begin: replacement of references --- */

static int
rival_table_traverse(PyObject *op, rival_visitproc visit, rival_arg *arg)
{
    table *t = &((TableObject *)op)->t;
    int needs_repair = 0;
    for (size_t i = 0; t->entries != NULL && i <= t->mask; i++) {
        entry *e = &t->entries[i];
        if (e->key != NULL) {
            PyObject *key = visit(e->key, arg);
            if (key == NULL) {
                return -1;
            }
            if (key != e->key || arg->hash_changed) {
                needs_repair = 1;
            }
            e->key = key;
        }
        RIVAL_VISIT(PyObject, e->value);
    }
    RIVAL_VISIT_TYPE(op);
    return needs_repair;
}

/* --- end --- */

static rival_slots table_rival = {rival_table_traverse, repair};

static int
rival_exec(PyObject *module)
{
    if (module_exec(module) < 0) {
        return -1;
    }
    PyObject *type = PyObject_GetAttrString(module, "Table");
    int err = type ? rival_add_slots(type, &table_rival) : -1;
    Py_XDECREF(type);
    return err;
}

static PyModuleDef_Slot rival_module_slots[] = {
    {Py_mod_exec, rival_exec},
    {0, NULL},
};

static PyModuleDef rival_module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "rival_hash_table",
    .m_slots = rival_module_slots,
};

PyMODINIT_FUNC
PyInit_rival_hash_table(void)
{
    return PyModuleDef_Init(&rival_module_def);
}
