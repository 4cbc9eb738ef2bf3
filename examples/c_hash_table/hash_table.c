/* A hash table of one's own, with objects as keys.

   Replacing a key is only the first half: where the key lies in the table
   depends on its hash, and the hash has changed with it.  The hash of the new
   key cannot be asked for on the spot.  tp_traverse_change must not run Python
   code, and a key may be a tuple that has not got its own new items yet.  So
   the table is left as it is and put right afterwards, by a repair:

       change_key()      stores the key and asks for the repair
       Py_REPAIR_RUN     builds another table next to the present one, and if
                         that went well puts it in place
       Py_REPAIR_UNDO    puts the former table back
       Py_REPAIR_FINISH  drops the former table

   The same repair serves the keys that stay the same object and only get
   another hash: change_key() is then called with the key that is already
   there. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#define MINSIZE 8

typedef struct {
    PyObject *key;          /* NULL: free, and then value is NULL, too */
    PyObject *value;
    Py_hash_t hash;         /* of a free entry: -1 if it has been in use */
} entry;

typedef struct {
    entry *entries;         /* mask + 1 of them, some of them free */
    size_t mask;
    Py_ssize_t used;        /* entries with a key */
    Py_ssize_t filled;      /* the same, and those that have been in use */
} table;

typedef struct {
    PyObject_HEAD
    table t;
    uint64_t version;       /* goes up when an entry finds itself elsewhere */
} TableObject;

/* --- The table ----------------------------------------------------------- */

static int
table_init(table *t, size_t size)
{
    t->entries = PyMem_Calloc(size, sizeof(entry));
    if (t->entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    t->mask = size - 1;
    t->used = t->filled = 0;
    return 0;
}

/* Drops the table and what it holds. */
static void
table_drop(table *t)
{
    table dropped = *t;
    memset(t, 0, sizeof(table));
    if (dropped.entries == NULL) {
        return;
    }
    for (size_t i = 0; i <= dropped.mask; i++) {
        Py_XDECREF(dropped.entries[i].key);
        Py_XDECREF(dropped.entries[i].value);
    }
    PyMem_Free(dropped.entries);
}

/* Finds the entry of a key (1), or the free entry where it would go (0).  Runs
   Python code: guard is the object whose table it is. */
static int
table_find(table *t, TableObject *guard, PyObject *key, Py_hash_t hash,
           entry **found)
{
    const uint64_t version = guard->version;
    entry *vacant = NULL;
    for (size_t i = (size_t)hash & t->mask; ; i = (i + 1) & t->mask) {
        entry *e = &t->entries[i];
        if (e->key == NULL) {
            if (vacant == NULL) {
                vacant = e;
            }
            if (e->hash == -1) {
                continue;
            }
            *found = vacant;
            return 0;
        }
        if (e->key == key) {
            *found = e;
            return 1;
        }
        if (e->hash == hash) {
            PyObject *other = Py_NewRef(e->key);
            int equal = PyObject_RichCompareBool(other, key, Py_EQ);
            Py_DECREF(other);
            if (equal < 0) {
                return -1;
            }
            if (guard->version != version) {
                PyErr_SetString(PyExc_RuntimeError,
                                "table changed during a comparison");
                return -1;
            }
            if (equal) {
                *found = e;
                return 1;
            }
        }
    }
}

static void
table_put(table *t, entry *e, PyObject *key, PyObject *value, Py_hash_t hash)
{
    t->filled += (e->hash != -1);
    t->used++;
    e->key = Py_NewRef(key);
    e->value = Py_NewRef(value);
    e->hash = hash;
}

/* Room for one more. */
static int
table_reserve(TableObject *self)
{
    if ((size_t)self->t.filled * 3 < self->t.mask * 2) {
        return 0;
    }
    table old = self->t, larger;
    size_t size = MINSIZE;
    while (size < (size_t)old.used * 3) {
        size *= 2;
    }
    if (table_init(&larger, size) < 0) {
        return -1;
    }
    for (size_t i = 0; i <= old.mask; i++) {
        if (old.entries[i].key != NULL) {
            size_t j = (size_t)old.entries[i].hash & larger.mask;
            while (larger.entries[j].key != NULL) {
                j = (j + 1) & larger.mask;
            }
            larger.entries[j] = old.entries[i];
        }
    }
    larger.used = larger.filled = old.used;
    self->t = larger;
    self->version++;
    PyMem_Free(old.entries);
    return 0;
}

/* --- Traversal ------------------------------------------------------------ */

static int
hash_table_traverse(PyObject *op, visitproc visit, void *arg)
{
    table *t = &((TableObject *)op)->t;
    for (size_t i = 0; t->entries != NULL && i <= t->mask; i++) {
        Py_VISIT(t->entries[i].key);
        Py_VISIT(t->entries[i].value);
    }
    Py_VISIT(Py_TYPE(op));
    return 0;
}

/* --- begin: repair --- */

static int
repair_run(TableObject *self, void **state)
{
    const uint64_t version = self->version;
    table *former = PyMem_New(table, 1);
    table rebuilt;
    if (former == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (table_init(&rebuilt, self->t.mask + 1) < 0) {
        PyMem_Free(former);
        return -1;
    }
    for (size_t i = 0; i <= self->t.mask; i++) {
        if (self->t.entries[i].key == NULL) {
            continue;
        }
        /* From here on Python code runs, and may do anything to the table. */
        PyObject *key = Py_NewRef(self->t.entries[i].key);
        PyObject *value = Py_NewRef(self->t.entries[i].value);
        entry *e;
        Py_hash_t hash = PyObject_Hash(key);
        int found = -1;
        if (hash != -1) {
            found = table_find(&rebuilt, self, key, hash, &e);
        }
        if (found == 0) {
            table_put(&rebuilt, e, key, value, hash);
        }
        else if (found > 0) {
            /* Two keys have become equal: the first key, the last value. */
            PyObject_ReportCollision((PyObject *)self, e->key, key);
            Py_SETREF(e->value, Py_NewRef(value));
        }
        Py_DECREF(key);
        Py_DECREF(value);
        if (found >= 0 && self->version != version) {
            PyErr_SetString(PyExc_RuntimeError,
                            "table changed during its repair");
            found = -1;
        }
        if (found < 0) {
            PyObject *exc = PyErr_GetRaisedException();
            table_drop(&rebuilt);
            PyMem_Free(former);
            PyErr_SetRaisedException(exc);
            return -1;
        }
    }
    *former = self->t;
    self->t = rebuilt;
    self->version++;
    *state = former;
    return 0;
}

static int
repair(PyObject *op, PyRepairStep step, void **state)
{
    TableObject *self = (TableObject *)op;
    if (step == Py_REPAIR_RUN) {
        return repair_run(self, state);
    }
    table *former = *state;
    if (step == Py_REPAIR_UNDO) {
        table undone = self->t;
        self->t = *former;
        *former = undone;
        self->version++;
    }
    /* The table is in order: what is dropped may run a finalizer. */
    table_drop(former);
    PyMem_Free(former);
    return 0;
}

/* --- end --- */

/* --- begin: replacement of references --- */

typedef struct {
    TableObject *self;
    entry *e;
} key_slot;

/* Ask first: if that fails, nothing has changed. */
static int
change_key(void *slot, PyObject *replacement)
{
    key_slot *key = slot;
    if (PyObject_DeferRepair((PyObject *)key->self, repair) < 0) {
        return -1;
    }
    key->e->key = replacement;
    return 0;
}

/* The twin of hash_table_traverse().  Values are open references, keys are
   stored by change_key(). */
static int
hash_table_traverse_change(PyObject *op, visitchangeproc visit, void *arg)
{
    TableObject *self = (TableObject *)op;
    table *t = &self->t;
    for (size_t i = 0; t->entries != NULL && i <= t->mask; i++) {
        if (t->entries[i].key != NULL) {
            key_slot key = {self, &t->entries[i]};
            int err = visit(t->entries[i].key, change_key, &key, arg);
            if (err) {
                return err;
            }
        }
        Py_VISIT_CHANGE(t->entries[i].value);
    }
    Py_VISIT_CHANGE_TYPE(op);
    return 0;
}

/* --- end --- */

/* PyObject_GenericClear() would leave entries with a key and no value: a table
   is cleared as a whole. */
static int
hash_table_clear(PyObject *op)
{
    TableObject *self = (TableObject *)op;
    self->version++;
    table_drop(&self->t);
    return 0;
}

static void
hash_table_dealloc(PyObject *op)
{
    PyTypeObject *tp = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    table_drop(&((TableObject *)op)->t);
    tp->tp_free(op);
    Py_DECREF(tp);
}

/* --- What Python sees ------------------------------------------------------ */

/* Without a table since tp_clear? */
static int
ensure_table(TableObject *self)
{
    return self->t.entries != NULL ? 0 : table_init(&self->t, MINSIZE);
}

static PyObject *
hash_table_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
               PyObject *Py_UNUSED(kwargs))
{
    TableObject *self = (TableObject *)type->tp_alloc(type, 0);
    if (self != NULL && ensure_table(self) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static Py_ssize_t
hash_table_length(PyObject *op)
{
    return ((TableObject *)op)->t.used;
}

static int
hash_table_find(PyObject *op, PyObject *key, entry **e)
{
    TableObject *self = (TableObject *)op;
    Py_hash_t hash = PyObject_Hash(key);
    if (hash == -1 || ensure_table(self) < 0) {
        return -1;
    }
    return table_find(&self->t, self, key, hash, e);
}

static PyObject *
hash_table_subscript(PyObject *op, PyObject *key)
{
    entry *e;
    int found = hash_table_find(op, key, &e);
    if (found > 0) {
        return Py_NewRef(e->value);
    }
    if (found == 0) {
        PyErr_SetObject(PyExc_KeyError, key);
    }
    return NULL;
}

static int
hash_table_contains(PyObject *op, PyObject *key)
{
    entry *e;
    return hash_table_find(op, key, &e);
}

static int
hash_table_ass_subscript(PyObject *op, PyObject *key, PyObject *value)
{
    TableObject *self = (TableObject *)op;
    Py_hash_t hash;
    entry *e;
    /* The hash first: it runs Python code, which may use up the room. */
    hash = PyObject_Hash(key);
    if (hash == -1 || ensure_table(self) < 0
        || (value != NULL && table_reserve(self) < 0)) {
        return -1;
    }
    int found = table_find(&self->t, self, key, hash, &e);
    if (found < 0) {
        return -1;
    }
    if (value == NULL) {
        if (found == 0) {
            PyErr_SetObject(PyExc_KeyError, key);
            return -1;
        }
        entry dropped = *e;
        *e = (entry){NULL, NULL, -1};
        self->t.used--;
        self->version++;
        Py_DECREF(dropped.key);
        Py_DECREF(dropped.value);
    }
    else if (found > 0) {
        Py_SETREF(e->value, Py_NewRef(value));
    }
    else {
        table_put(&self->t, e, key, value, hash);
        self->version++;
    }
    return 0;
}

PyDoc_STRVAR(items_doc,
"items($self, /)\n--\n\nA list of (key, value) pairs.");

static PyObject *
hash_table_items(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    TableObject *self = (TableObject *)op;
    PyObject *items = PyList_New(0);
    const uint64_t version = self->version;
    table *t = &self->t;
    for (size_t i = 0; items != NULL && t->entries != NULL && i <= t->mask; i++) {
        if (t->entries[i].key == NULL) {
            continue;
        }
        PyObject *item = PyTuple_Pack(2, t->entries[i].key, t->entries[i].value);
        if (item == NULL || PyList_Append(items, item) < 0) {
            Py_CLEAR(items);
        }
        Py_XDECREF(item);
        if (items != NULL && self->version != version) {
            PyErr_SetString(PyExc_RuntimeError, "table changed during items()");
            Py_CLEAR(items);
        }
    }
    return items;
}

PyDoc_STRVAR(for_each_doc,
"for_each($self, function, /)\n--\n\nCall function(key, value) for each item.");

/* A loop in C that runs Python code, and with it perhaps gc.remap(): a repair
   counts as a change of the table like any other. */
static PyObject *
hash_table_for_each(PyObject *op, PyObject *function)
{
    TableObject *self = (TableObject *)op;
    const uint64_t version = self->version;
    table *t = &self->t;
    for (size_t i = 0; t->entries != NULL && i <= t->mask; i++) {
        if (t->entries[i].key == NULL) {
            continue;
        }
        PyObject *key = Py_NewRef(t->entries[i].key);
        PyObject *value = Py_NewRef(t->entries[i].value);
        PyObject *result = PyObject_CallFunctionObjArgs(function, key, value,
                                                        NULL);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result == NULL) {
            return NULL;
        }
        Py_DECREF(result);
        if (self->version != version) {
            PyErr_SetString(PyExc_RuntimeError, "table changed during iteration");
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef hash_table_methods[] = {
    {"items", hash_table_items, METH_NOARGS, items_doc},
    {"for_each", hash_table_for_each, METH_O, for_each_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot hash_table_slots[] = {
    {Py_tp_doc, "A hash table with open addressing."},
    {Py_tp_new, hash_table_new},
    {Py_tp_dealloc, hash_table_dealloc},
    {Py_tp_traverse, hash_table_traverse},
    {Py_tp_traverse_change, hash_table_traverse_change},
    {Py_tp_clear, hash_table_clear},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_methods, hash_table_methods},
    {Py_mp_length, hash_table_length},
    {Py_mp_subscript, hash_table_subscript},
    {Py_mp_ass_subscript, hash_table_ass_subscript},
    {Py_sq_contains, hash_table_contains},
    {0, NULL},
};

static PyType_Spec hash_table_spec = {
    .name = "hash_table.Table",
    .basicsize = sizeof(TableObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = hash_table_slots,
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &hash_table_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int err = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return err;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hash_table",
    .m_doc = "A hash table of one's own, with objects as keys.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_hash_table(void)
{
    return PyModuleDef_Init(&module_def);
}
