/* A reference behind an accessor.

   Bindings of a C library often keep their Python object in the "user data" of
   one of the library's own objects:

       void *widget_get_user_data(widget *);
       void widget_set_user_data(widget *, void *, void (*destroy)(void *));

   Nobody but the library knows where the pointer lies.  tp_traverse can report
   such a reference, since visitproc takes a PyObject * and not its address, and
   so can tp_traverse_change: the slot that it hands to the visitor is the
   widget. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

/* --- The library: it has never heard of Python --------------------------- */

typedef struct widget widget;

struct widget {
    void *user_data;
    void (*destroy)(void *);
};

static widget *
widget_create(void)
{
    return calloc(1, sizeof(widget));
}

static void *
widget_get_user_data(const widget *w)
{
    return w->user_data;
}

/* Calls the destroy function of the data that was there before. */
static void
widget_set_user_data(widget *w, void *data, void (*destroy)(void *))
{
    void *former = w->user_data;
    void (*former_destroy)(void *) = w->destroy;
    w->user_data = data;
    w->destroy = destroy;
    if (former != NULL && former_destroy != NULL) {
        former_destroy(former);
    }
}

static void
widget_free(widget *w)
{
    widget_set_user_data(w, NULL, NULL);
    free(w);
}

/* --- The binding ----------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    widget *handle;
} WidgetObject;

static void
destroy_reference(void *data)
{
    Py_DECREF((PyObject *)data);
}

static PyObject *
get_reference(PyObject *op)
{
    return widget_get_user_data(((WidgetObject *)op)->handle);
}

static int
opaque_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(get_reference(op));
    Py_VISIT(Py_TYPE(op));
    return 0;
}

/* --- begin: replacement of references --- */

/* The caller gets the reference that the widget held.  The library is about to
   destroy it, so there is one more before, and no finalizer runs here. */
static int
change_user_data(void *slot, PyObject *replacement)
{
    widget *handle = slot;
    Py_INCREF((PyObject *)widget_get_user_data(handle));
    widget_set_user_data(handle, replacement, destroy_reference);
    return 0;
}

static int
opaque_traverse_change(PyObject *op, visitchangeproc visit, void *arg)
{
    PyObject *current = get_reference(op);
    if (current != NULL) {
        int err = visit(current, change_user_data, ((WidgetObject *)op)->handle,
                        arg);
        if (err) {
            return err;
        }
    }
    Py_VISIT_CHANGE_TYPE(op);
    return 0;
}

/* --- end --- */

static int
opaque_clear(PyObject *op)
{
    widget_set_user_data(((WidgetObject *)op)->handle, NULL, NULL);
    return 0;
}

static void
opaque_dealloc(PyObject *op)
{
    PyTypeObject *tp = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    if (((WidgetObject *)op)->handle != NULL) {
        widget_free(((WidgetObject *)op)->handle);
    }
    tp->tp_free(op);
    Py_DECREF(tp);
}

static PyObject *
opaque_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *data = NULL;
    if (!PyArg_ParseTuple(args, "|O:Widget", &data)) {
        return NULL;
    }
    /* Before the object: the collector may come upon it at once. */
    widget *handle = widget_create();
    if (handle == NULL) {
        return PyErr_NoMemory();
    }
    WidgetObject *self = PyObject_GC_New(WidgetObject, type);
    if (self == NULL) {
        widget_free(handle);
        return NULL;
    }
    self->handle = handle;
    if (data != NULL) {
        widget_set_user_data(handle, Py_NewRef(data), destroy_reference);
    }
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyObject *
opaque_get_data(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *data = get_reference(op);
    return Py_NewRef(data != NULL ? data : Py_None);
}

static int
opaque_set_data(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    widget_set_user_data(((WidgetObject *)op)->handle, Py_XNewRef(value),
                         destroy_reference);
    return 0;
}

static PyGetSetDef opaque_getset[] = {
    {"data", opaque_get_data, opaque_set_data, "The user data.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot opaque_slots[] = {
    {Py_tp_doc, "A widget with user data."},
    {Py_tp_new, opaque_new},
    {Py_tp_dealloc, opaque_dealloc},
    {Py_tp_traverse, opaque_traverse},
    {Py_tp_traverse_change, opaque_traverse_change},
    {Py_tp_clear, opaque_clear},
    {Py_tp_getset, opaque_getset},
    {0, NULL},
};

static PyType_Spec opaque_spec = {
    .name = "opaque_accessor.Widget",
    .basicsize = sizeof(WidgetObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = opaque_slots,
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &opaque_spec, NULL);
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
    .m_name = "opaque_accessor",
    .m_doc = "A reference behind an accessor.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_opaque_accessor(void)
{
    return PyModuleDef_Init(&module_def);
}
