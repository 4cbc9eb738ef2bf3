/* A small remap for the rival shape.

   remap(objects, pairs, changed=()): replaces references in the given objects
   only, all or nothing.  "changed" are objects whose hash is to be taken as
   changed.  Returns the number of references that were replaced. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "rival.h"

/* A write that has been done. */
typedef struct {
    Py_ssize_t object;
    Py_ssize_t ordinal;
    PyObject *old;              /* the reference that the object held */
} done_write;

typedef struct {
    rival_arg base;
    PyObject *objects;          /* tuples */
    PyObject *pairs;
    PyObject *changed;
    Py_ssize_t object;          /* where we are */
    Py_ssize_t ordinal;
    done_write *journal;
    Py_ssize_t nwrites;
    Py_ssize_t nundone;
    Py_ssize_t room;
} driver;

static PyObject *
visit_apply(PyObject *current, rival_arg *arg)
{
    driver *d = (driver *)arg;
    d->ordinal++;
    d->base.hash_changed = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(d->changed); i++) {
        if (PyTuple_GET_ITEM(d->changed, i) == current) {
            d->base.hash_changed = 1;
        }
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(d->pairs); i++) {
        PyObject *pair = PyTuple_GET_ITEM(d->pairs, i);
        if (PyTuple_GET_ITEM(pair, 0) != current) {
            continue;
        }
        if (d->nwrites == d->room) {
            Py_ssize_t room = d->room ? d->room * 2 : 16;
            done_write *journal = PyMem_Resize(d->journal, done_write, room);
            if (journal == NULL) {
                PyErr_NoMemory();
                return NULL;
            }
            d->journal = journal;
            d->room = room;
        }
        d->journal[d->nwrites++] = (done_write){d->object, d->ordinal, current};
        return Py_NewRef(PyTuple_GET_ITEM(pair, 1));
    }
    return current;
}

/* The write that was last has not been done. */
static void
give_back(rival_arg *arg, PyObject *refused)
{
    driver *d = (driver *)arg;
    d->nwrites--;
    Py_DECREF(refused);
}

static PyObject *
visit_undo(PyObject *current, rival_arg *arg)
{
    driver *d = (driver *)arg;
    d->ordinal++;
    d->base.hash_changed = 0;
    if (d->nundone < d->nwrites) {
        done_write *w = &d->journal[d->nundone];
        if (w->object == d->object && w->ordinal == d->ordinal) {
            d->nundone++;
            /* Somebody else owns a reference: nothing is finalized. */
            Py_DECREF(current);
            return w->old;
        }
    }
    return current;
}

static rival_slots *
get_slots(PyObject *op)
{
    PyObject *capsule = PyObject_GetAttrString((PyObject *)Py_TYPE(op), "_rival");
    if (capsule == NULL) {
        return NULL;
    }
    rival_slots *slots = PyCapsule_GetPointer(capsule, RIVAL_CAPSULE);
    Py_DECREF(capsule);         /* the type owns another reference */
    return slots;
}

/* All objects, with one of the visitors. */
static int
traverse_all(driver *d, rival_visitproc visit, char *needs_repair)
{
    for (d->object = 0; d->object < PyTuple_GET_SIZE(d->objects); d->object++) {
        PyObject *op = PyTuple_GET_ITEM(d->objects, d->object);
        rival_slots *slots = get_slots(op);
        if (slots == NULL) {
            return -1;
        }
        d->ordinal = 0;
        int result = slots->traverse(op, visit, &d->base);
        if (result < 0) {
            return -1;
        }
        needs_repair[d->object] |= (result > 0);
    }
    return 0;
}

static PyObject *
driver_remap(PyObject *Py_UNUSED(module), PyObject *args)
{
    driver d = {.base = {.give_back = give_back}};
    PyObject *objects, *pairs, *changed = NULL;
    if (!PyArg_ParseTuple(args, "OO|O:remap", &objects, &pairs, &changed)) {
        return NULL;
    }
    d.objects = PySequence_Tuple(objects);
    d.pairs = PySequence_Tuple(pairs);
    d.changed = changed ? PySequence_Tuple(changed) : PyTuple_New(0);
    Py_ssize_t n = d.objects ? PyTuple_GET_SIZE(d.objects) : 0;
    char *needs_repair = PyMem_Calloc(n + 1, 1);
    void **states = PyMem_Calloc(n + 1, sizeof(void *));
    int failed = 1;
    if (d.objects == NULL || d.pairs == NULL || d.changed == NULL) {
        goto done;
    }
    if (needs_repair == NULL || states == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(d.pairs); i++) {
        PyObject *pair = PyTuple_GET_ITEM(d.pairs, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "pairs must be tuples (old, new)");
            goto done;
        }
    }

    failed = traverse_all(&d, visit_apply, needs_repair) < 0;
    Py_ssize_t nrepaired = 0;
    for (; !failed && nrepaired < n; nrepaired++) {
        if (needs_repair[nrepaired]) {
            PyObject *op = PyTuple_GET_ITEM(d.objects, nrepaired);
            if (get_slots(op)->repair(op, Py_REPAIR_RUN, &states[nrepaired]) < 0) {
                failed = 1;
                break;
            }
        }
    }
    PyObject *exc = failed ? PyErr_GetRaisedException() : NULL;
    for (Py_ssize_t i = 0; i < nrepaired; i++) {
        if (needs_repair[i]) {
            PyObject *op = PyTuple_GET_ITEM(d.objects, i);
            get_slots(op)->repair(op, failed ? Py_REPAIR_UNDO : Py_REPAIR_FINISH,
                                  &states[i]);
        }
    }
    if (failed) {
        traverse_all(&d, visit_undo, needs_repair);
        PyErr_SetRaisedException(exc);
    }
    else {
        for (Py_ssize_t i = 0; i < d.nwrites; i++) {
            Py_DECREF(d.journal[i].old);
        }
    }

done:
    PyMem_Free(d.journal);
    PyMem_Free(needs_repair);
    PyMem_Free(states);
    Py_XDECREF(d.objects);
    Py_XDECREF(d.pairs);
    Py_XDECREF(d.changed);
    return failed ? NULL : PyLong_FromSsize_t(d.nwrites);
}

static PyMethodDef driver_methods[] = {
    {"remap", driver_remap, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "rival_driver",
    .m_doc = "A small remap for the rival shape.",
    .m_methods = driver_methods,
};

PyMODINIT_FUNC
PyInit_rival_driver(void)
{
    return PyModuleDef_Init(&module_def);
}
