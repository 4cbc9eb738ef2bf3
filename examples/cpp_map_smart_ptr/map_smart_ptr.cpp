// References in C++: a smart pointer that counts them, and a std::map keyed by
// PyObject *.
//
// A smart pointer keeps its pointer to itself.  The slot that is handed to the
// visitor is the smart pointer, and change_ref() goes through its interface.
//
// The keys of a std::map are const, since their order is the tree.  The map
// below is ordered by the address of the key object, and each node has a Ref
// that owns the key, beside the value.  Replacing a key is then two steps, as
// it is for a hash table:
//
//   change_key()      changes the owned reference; the node stays where it is,
//                     so a traversal that is repeated finds the same order
//   Py_REPAIR_RUN     builds a map in the order of the new addresses, which may
//                     fail for want of memory, and puts it in place
//   Py_REPAIR_UNDO    puts the former map back
//   Py_REPAIR_FINISH  drops the former map
//
// No C++ exception may leave the functions that the interpreter calls.

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <map>
#include <memory>
#include <new>
#include <utility>

namespace {

// --- A smart pointer, as bindings have them: no address to be had ---------

class Ref {
public:
    Ref() noexcept = default;
    Ref(const Ref &other) noexcept : p_(Py_XNewRef(other.p_)) {}
    Ref(Ref &&other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
    Ref &operator=(Ref other) noexcept { std::swap(p_, other.p_); return *this; }
    ~Ref() { Py_XDECREF(p_); }

    static Ref steal(PyObject *p) noexcept { Ref r; r.p_ = p; return r; }
    static Ref borrow(PyObject *p) noexcept { return steal(Py_XNewRef(p)); }

    PyObject *get() const noexcept { return p_; }
    PyObject *release() noexcept { return std::exchange(p_, nullptr); }

private:
    PyObject *p_ = nullptr;
};

struct Entry {
    Ref key;
    Ref value;
};

using Map = std::map<PyObject *, Entry>;

struct RegistryObject {
    PyObject_HEAD
    Map entries;
    Ref fallback;
};

RegistryObject *
as_registry(PyObject *op)
{
    return reinterpret_cast<RegistryObject *>(op);
}

int
registry_traverse(PyObject *op, visitproc visit, void *arg)
{
    for (auto &node : as_registry(op)->entries) {
        Py_VISIT(node.second.key.get());
        Py_VISIT(node.second.value.get());
    }
    Py_VISIT(as_registry(op)->fallback.get());
    Py_VISIT(Py_TYPE(op));
    return 0;
}

// --- begin: repair ---

int
repair(PyObject *op, PyRepairStep step, void **state) noexcept
{
    Map &entries = as_registry(op)->entries;
    if (step == Py_REPAIR_RUN) {
        try {
            auto rebuilt = std::make_unique<Map>();
            for (auto &node : entries) {
                const Entry &entry = node.second;
                auto [at, added] = rebuilt->try_emplace(entry.key.get(), entry);
                if (!added) {
                    // Twice the same key: the last value stays.
                    PyObject_ReportCollision(op, at->first, entry.key.get());
                    at->second.value = entry.value;
                }
            }
            entries.swap(*rebuilt);
            *state = rebuilt.release();
        }
        catch (const std::bad_alloc &) {
            PyErr_NoMemory();
            return -1;
        }
        return 0;
    }
    std::unique_ptr<Map> former(static_cast<Map *>(*state));
    if (step == Py_REPAIR_UNDO) {
        entries.swap(*former);
    }
    return 0;
}

// --- end ---

// --- begin: replacement of references ---

// The caller takes over what the pointer held, so nothing is dropped here.
int
change_ref(void *slot, PyObject *replacement) noexcept
{
    Ref *ref = static_cast<Ref *>(slot);
    ref->release();
    *ref = Ref::steal(replacement);
    return 0;
}

int
visit_ref(Ref &ref, visitchangeproc visit, void *arg)
{
    return ref.get() ? visit(ref.get(), change_ref, &ref, arg) : 0;
}

struct KeySlot {
    PyObject *self;
    Ref &key;
};

int
change_key(void *slot, PyObject *replacement) noexcept
{
    KeySlot *key = static_cast<KeySlot *>(slot);
    if (PyObject_DeferRepair(key->self, repair) < 0) {
        return -1;
    }
    return change_ref(&key->key, replacement);
}

int
registry_traverse_change(PyObject *op, visitchangeproc visit, void *arg)
{
    for (auto &node : as_registry(op)->entries) {
        KeySlot key = {op, node.second.key};
        int err = visit(key.key.get(), change_key, &key, arg);
        if (!err) {
            err = visit_ref(node.second.value, visit, arg);
        }
        if (err) {
            return err;
        }
    }
    if (int err = visit_ref(as_registry(op)->fallback, visit, arg)) {
        return err;
    }
    Py_VISIT_CHANGE_TYPE(op);
    return 0;
}

// --- end ---

// The members are empty before anything is dropped.
int
registry_clear(PyObject *op)
{
    Map entries;
    Ref fallback;
    std::swap(entries, as_registry(op)->entries);
    std::swap(fallback, as_registry(op)->fallback);
    return 0;
}

void
registry_dealloc(PyObject *op)
{
    PyTypeObject *tp = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    as_registry(op)->entries.~Map();
    as_registry(op)->fallback.~Ref();
    tp->tp_free(op);
    Py_DECREF(tp);
}

PyObject *
registry_new(PyTypeObject *type, PyObject *, PyObject *)
{
    // Not tp_alloc(): that would let the collector see the members before
    // their constructors have run.
    RegistryObject *self = PyObject_GC_New(RegistryObject, type);
    if (self == nullptr) {
        return nullptr;
    }
    new (&self->entries) Map;
    new (&self->fallback) Ref;
    PyObject_GC_Track(self);
    return reinterpret_cast<PyObject *>(self);
}

Py_ssize_t
registry_length(PyObject *op)
{
    return static_cast<Py_ssize_t>(as_registry(op)->entries.size());
}

PyObject *
registry_subscript(PyObject *op, PyObject *key)
{
    Map &entries = as_registry(op)->entries;
    auto found = entries.find(key);
    if (found == entries.end()) {
        PyErr_SetObject(PyExc_KeyError, key);
        return nullptr;
    }
    return Py_NewRef(found->second.value.get());
}

int
registry_ass_subscript(PyObject *op, PyObject *key, PyObject *value)
{
    Map &entries = as_registry(op)->entries;
    if (value == nullptr) {
        auto node = entries.extract(key);
        if (node.empty()) {
            PyErr_SetObject(PyExc_KeyError, key);
            return -1;
        }
        return 0;
    }
    try {
        auto [at, added] = entries.try_emplace(
            key, Entry{Ref::borrow(key), Ref::borrow(value)});
        if (!added) {
            Ref former = std::exchange(at->second.value, Ref::borrow(value));
        }
    }
    catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

int
registry_contains(PyObject *op, PyObject *key)
{
    return as_registry(op)->entries.count(key) != 0;
}

// Are the addresses that order the nodes those of the keys?
PyObject *
registry_is_ordered(PyObject *op, PyObject *)
{
    for (auto &node : as_registry(op)->entries) {
        if (node.first != node.second.key.get()) {
            Py_RETURN_FALSE;
        }
    }
    Py_RETURN_TRUE;
}

PyObject *
registry_get_fallback(PyObject *op, void *)
{
    PyObject *fallback = as_registry(op)->fallback.get();
    return Py_NewRef(fallback ? fallback : Py_None);
}

int
registry_set_fallback(PyObject *op, PyObject *value, void *)
{
    Ref former = std::exchange(as_registry(op)->fallback, Ref::borrow(value));
    return 0;
}

PyMethodDef registry_methods[] = {
    {"is_ordered", registry_is_ordered, METH_NOARGS,
     "is_ordered($self, /)\n--\n\nIs the map in the order of its keys?"},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef registry_getset[] = {
    {"fallback", registry_get_fallback, registry_set_fallback,
     "A reference in a smart pointer.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

template <typename T>
void *
pfunc(T *function)
{
    return reinterpret_cast<void *>(function);
}

PyType_Slot registry_slots[] = {
    {Py_tp_doc, const_cast<char *>("A std::map keyed by identity.")},
    {Py_tp_new, pfunc(registry_new)},
    {Py_tp_dealloc, pfunc(registry_dealloc)},
    {Py_tp_traverse, pfunc(registry_traverse)},
    {Py_tp_traverse_change, pfunc(registry_traverse_change)},
    {Py_tp_clear, pfunc(registry_clear)},
    {Py_tp_methods, registry_methods},
    {Py_tp_getset, registry_getset},
    {Py_mp_length, pfunc(registry_length)},
    {Py_mp_subscript, pfunc(registry_subscript)},
    {Py_mp_ass_subscript, pfunc(registry_ass_subscript)},
    {Py_sq_contains, pfunc(registry_contains)},
    {0, nullptr},
};

PyType_Spec registry_spec = {
    "map_smart_ptr.Registry",
    sizeof(RegistryObject),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    registry_slots,
};

int
module_exec(PyObject *module)
{
    Ref type = Ref::steal(
        PyType_FromModuleAndSpec(module, &registry_spec, nullptr));
    if (!type.get()) {
        return -1;
    }
    return PyModule_AddType(module, reinterpret_cast<PyTypeObject *>(type.get()));
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, pfunc(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, nullptr},
};

PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    "map_smart_ptr",
    "References in a std::map and in a smart pointer.",
    0,
    nullptr,
    module_slots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

PyMODINIT_FUNC
PyInit_map_smart_ptr(void)
{
    return PyModuleDef_Init(&module_def);
}
