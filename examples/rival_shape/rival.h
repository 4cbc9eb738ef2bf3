/* The rival shape, to compare with: a visitor that returns what is to be stored.

       PyObject *visit(PyObject *current, rival_arg *arg);

   The visitor takes over the owner's reference to "current" and returns a
   strong reference to what the owner has to store in its place: most often
   "current" itself.  NULL: an exception is set, nothing was taken over, and the
   owner stops.

   This is the best version of the shape that we could think of.  What the plain
   return value cannot say had to come back through rival_arg:

   hash_changed   "the same object, but its hash may have changed": the visitor
                  returns "current", just as it does for an object that is none
                  of its business, and only this tells the two apart
   give_back()    the owner cannot store what it got (a field of a given type,
                  no memory) or prefers not to.  By then the visitor has done
                  its accounts, so the owner has to tell it, and gets its
                  reference to "current" back. */

#ifndef RIVAL_H
#define RIVAL_H
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rival_arg {
    int hash_changed;
    void (*give_back)(struct rival_arg *arg, PyObject *refused);
} rival_arg;

typedef PyObject *(*rival_visitproc)(PyObject *current, rival_arg *arg);

/* What a type hands to the driver: a capsule "_rival" in its namespace. */
typedef struct {
    /* -1: stopped.  0: done.  1: done, and repair() is to be called. */
    int (*traverse)(PyObject *self, rival_visitproc visit, rival_arg *arg);
    int (*repair)(PyObject *self, PyRepairStep step, void **state);
} rival_slots;

#define RIVAL_CAPSULE "rival_shape.slots"

/* An open field. */
#define RIVAL_VISIT(T, op)                                                  \
    do {                                                                    \
        if (op) {                                                           \
            PyObject *_new = visit((PyObject *)(op), arg);                  \
            if (_new == NULL) {                                             \
                return -1;                                                  \
            }                                                               \
            (op) = (T *)_new;                                               \
        }                                                                   \
    } while (0)

/* A field with a condition: an expression in "replacement". */
#define RIVAL_VISIT_CHECKED(T, op, condition, message)                      \
    do {                                                                    \
        if (op) {                                                           \
            PyObject *replacement = visit((PyObject *)(op), arg);           \
            if (replacement == NULL) {                                      \
                return -1;                                                  \
            }                                                               \
            if (replacement != (PyObject *)(op) && !(condition)) {          \
                arg->give_back(arg, replacement);                           \
                PyErr_SetString(PyExc_TypeError, message);                  \
                return -1;                                                  \
            }                                                               \
            (op) = (T *)replacement;                                        \
        }                                                                   \
    } while (0)

/* The type of an object: changed as assigning __class__ does, or not. */
#define RIVAL_VISIT_TYPE(self)                                              \
    do {                                                                    \
        PyObject *_new = visit((PyObject *)Py_TYPE(self), arg);             \
        if (_new == NULL) {                                                 \
            return -1;                                                      \
        }                                                                   \
        if (_new != (PyObject *)Py_TYPE(self)                               \
            && PyObject_ChangeType((self), _new) < 0) {                     \
            arg->give_back(arg, _new);                                      \
            return -1;                                                      \
        }                                                                   \
    } while (0)

static inline int
rival_add_slots(PyObject *type, rival_slots *slots)
{
    PyObject *capsule = PyCapsule_New(slots, RIVAL_CAPSULE, NULL);
    if (capsule == NULL) {
        return -1;
    }
    int err = PyObject_SetAttrString(type, "_rival", capsule);
    Py_DECREF(capsule);
    return err;
}

#ifdef __cplusplus
}
#endif
#endif
