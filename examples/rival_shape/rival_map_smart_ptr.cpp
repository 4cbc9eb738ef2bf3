// The rival shape for the type of cpp_map_smart_ptr/: everything but the
// traversal is that of the example, the repair too.

#include "../cpp_map_smart_ptr/map_smart_ptr.cpp"
#include "rival.h"

namespace {

// --- begin: replacement of references ---

// 1: replaced.  What the pointer held is the visitor's, whatever comes back.
int
rival_visit_ref(Ref &ref, rival_visitproc visit, rival_arg *arg)
{
    PyObject *current = ref.get();
    if (!current) {
        return 0;
    }
    PyObject *replacement = visit(current, arg);
    if (!replacement) {
        return -1;
    }
    ref.release();
    ref = Ref::steal(replacement);
    return replacement != current;
}

int
rival_registry_traverse(PyObject *op, rival_visitproc visit, rival_arg *arg)
{
    int needs_repair = 0;
    for (auto &node : as_registry(op)->entries) {
        int replaced = rival_visit_ref(node.second.key, visit, arg);
        if (replaced < 0 || rival_visit_ref(node.second.value, visit, arg) < 0) {
            return -1;
        }
        needs_repair |= replaced;
    }
    if (rival_visit_ref(as_registry(op)->fallback, visit, arg) < 0) {
        return -1;
    }
    RIVAL_VISIT_TYPE(op);
    return needs_repair;
}

// --- end ---

rival_slots registry_rival = {rival_registry_traverse, repair};

int
rival_exec(PyObject *module)
{
    if (module_exec(module) < 0) {
        return -1;
    }
    Ref type = Ref::steal(PyObject_GetAttrString(module, "Registry"));
    return type.get() ? rival_add_slots(type.get(), &registry_rival) : -1;
}

PyModuleDef_Slot rival_module_slots[] = {
    {Py_mod_exec, pfunc(rival_exec)},
    {0, nullptr},
};

PyModuleDef rival_module_def = {
    PyModuleDef_HEAD_INIT,
    "rival_map_smart_ptr",
    nullptr,
    0,
    nullptr,
    rival_module_slots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

PyMODINIT_FUNC
PyInit_rival_map_smart_ptr(void)
{
    return PyModuleDef_Init(&rival_module_def);
}
