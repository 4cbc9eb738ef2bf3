/* The rival shape for the type of c_opaque_accessor/: everything but the
   traversal is that of the example. */

#include "../c_opaque_accessor/opaque_accessor.c"
#include "rival.h"

/* --- begin: replacement of references --- */

static int
rival_opaque_traverse(PyObject *op, rival_visitproc visit, rival_arg *arg)
{
    PyObject *current = get_reference(op);
    if (current != NULL) {
        PyObject *replacement = visit(current, arg);
        if (replacement == NULL) {
            return -1;
        }
        if (replacement != current) {
            /* The library is about to destroy a reference that is the
               visitor's by now. */
            Py_INCREF(current);
            widget_set_user_data(((WidgetObject *)op)->handle, replacement,
                                 destroy_reference);
        }
    }
    RIVAL_VISIT_TYPE(op);
    return 0;
}

/* --- end --- */

static rival_slots opaque_rival = {rival_opaque_traverse, NULL};

static int
rival_exec(PyObject *module)
{
    if (module_exec(module) < 0) {
        return -1;
    }
    PyObject *type = PyObject_GetAttrString(module, "Widget");
    int err = type ? rival_add_slots(type, &opaque_rival) : -1;
    Py_XDECREF(type);
    return err;
}

static PyModuleDef_Slot rival_module_slots[] = {
    {Py_mod_exec, rival_exec},
    {0, NULL},
};

static PyModuleDef rival_module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "rival_opaque_accessor",
    .m_slots = rival_module_slots,
};

PyMODINIT_FUNC
PyInit_rival_opaque_accessor(void)
{
    return PyModuleDef_Init(&rival_module_def);
}
