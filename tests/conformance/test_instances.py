"""gc.remap() and instances: attributes wherever they are kept."""

import collections
import gc
import io
import types
import weakref

from support import Key, Pairs, RemapTestCase, Thing, main


class Plain:
    pass


class Slots:
    __slots__ = ("a", "b", "c")


class SlotsSub(Slots):
    __slots__ = ("d",)


class SlotsAndDict(Slots):
    pass


class SlotDict:
    __slots__ = ("a", "__dict__", "__weakref__")


class AttributeTests(RemapTestCase):

    def test_inline_values(self):
        pairs = Pairs.things()
        obj = Plain()
        obj.a, obj.b, obj.c = 1, pairs.old, pairs.old
        result = self.remap(pairs)
        self.assertIs(obj.b, pairs.new)
        self.assertIs(obj.c, pairs.new)
        self.assertEqual(obj.a, 1)
        self.assertEqual(result.references, 2)
        self.assertEqual(vars(obj), {"a": 1, "b": pairs.new, "c": pairs.new})

    def test_inline_values_of_many(self):
        pairs = Pairs.things()
        objects = [Plain() for _ in range(1000)]
        for i, obj in enumerate(objects):
            obj.index = i
            obj.thing = pairs.old
        self.remap(pairs, references=1000)
        for i, obj in enumerate(objects):
            self.assertEqual(obj.index, i)
            self.assertIs(obj.thing, pairs.new)

    def test_materialized_dict(self):
        pairs = Pairs.things()
        obj = Plain()
        obj.a = pairs.old
        namespace = vars(obj)
        self.remap(pairs)
        self.assertIs(obj.a, pairs.new)
        self.assertIs(namespace["a"], pairs.new)
        self.assertIs(vars(obj), namespace)
        obj.a = 1
        self.assertEqual(namespace, {"a": 1})

    def test_dict_assigned(self):
        pairs = Pairs.things()
        obj = Plain()
        obj.__dict__ = {"a": pairs.old, "b": 1}
        self.remap(pairs)
        self.assertIs(obj.a, pairs.new)
        obj.c = 2
        self.assertEqual(vars(obj), {"a": pairs.new, "b": 1, "c": 2})

    def test_many_attributes(self):
        # More than there is room for inline.
        pairs = Pairs.things()
        obj = Plain()
        for i in range(100):
            setattr(obj, f"a{i}", pairs.old if i % 2 else i)
        self.remap(pairs, references=50)
        for i in range(100):
            self.assertEqual(getattr(obj, f"a{i}"),
                             pairs.new if i % 2 else i)

    def test_attributes_deleted(self):
        pairs = Pairs.things()
        obj = Plain()
        obj.a, obj.b, obj.c = pairs.old, pairs.old, pairs.old
        del obj.b
        self.remap(pairs, references=2)
        self.assertEqual(list(vars(obj).items()),
                         [("a", pairs.new), ("c", pairs.new)])
        obj.b = 1
        self.assertEqual(list(vars(obj)), ["a", "c", "b"])

    def test_slots(self):
        pairs = Pairs.things()
        obj = Slots()
        obj.a, obj.c = pairs.old, pairs.old
        self.remap(pairs)
        self.assertIs(obj.a, pairs.new)
        self.assertIs(obj.c, pairs.new)
        self.assertFalse(hasattr(obj, "b"))

    def test_slots_of_the_bases(self):
        pairs = Pairs.things()
        obj = SlotsSub()
        obj.a = obj.d = pairs.old
        self.remap(pairs)
        self.assertIs(obj.a, pairs.new)
        self.assertIs(obj.d, pairs.new)

    def test_slots_and_dict(self):
        for cls in SlotsAndDict, SlotDict:
            with self.subTest(cls=cls):
                pairs = Pairs.things()
                obj = cls()
                obj.a = obj.other = pairs.old
                self.remap(pairs)
                self.assertIs(obj.a, pairs.new)
                self.assertIs(obj.other, pairs.new)

    def test_simple_namespace(self):
        pairs = Pairs.things()
        obj = types.SimpleNamespace(a=pairs.old, b=1)
        self.remap(pairs)
        self.assertEqual(obj, types.SimpleNamespace(a=pairs.new, b=1))

    def test_weak_references_to_the_holder(self):
        pairs = Pairs.things()
        obj = Plain()
        obj.a = pairs.old
        ref = weakref.ref(obj)
        self.remap(pairs)
        self.assertIs(ref(), obj)
        self.assertIs(ref().a, pairs.new)

    def test_deep_chain(self):
        # Nothing here may recurse.
        pairs = Pairs.things()
        last = Plain()
        last.thing = pairs.old
        first = last
        for _ in range(50_000):
            obj = Plain()
            obj.next = first
            first = obj
        self.remap(pairs)
        self.assertIs(last.thing, pairs.new)
        while (following := getattr(first, "next", None)) is not None:
            first = following


class SubclassTests(RemapTestCase):

    def check(self, base, *args):
        for slots in False, True:
            with self.subTest(base=base, slots=slots):
                namespace = {}
                if slots and base not in (tuple, int, bytes, str):
                    namespace["__slots__"] = ("attribute", "other")
                cls = type("Sub", (base,), namespace)
                pairs = Pairs.things()
                obj = cls(*args)
                obj.attribute = pairs.old
                obj.other = 1
                self.remap(pairs, references=1)
                self.assertIs(obj.attribute, pairs.new)
                self.assertEqual(obj.other, 1)
                self.assertIs(type(obj), cls)

    def test_of_list(self):
        self.check(list, [1, 2])

    def test_of_dict(self):
        self.check(dict, {1: 2})

    def test_of_set(self):
        self.check(set, [1, 2])

    def test_of_frozenset(self):
        self.check(frozenset, [1, 2])

    def test_of_tuple(self):
        self.check(tuple, [1, 2])

    def test_of_int(self):
        self.check(int, 5)

    def test_of_str(self):
        self.check(str, "text")

    def test_of_bytes(self):
        self.check(bytes, b"text")

    def test_of_float(self):
        self.check(float, 1.5)

    def test_of_exception(self):
        self.check(ValueError, 1)

    def test_of_deque(self):
        self.check(collections.deque, [1])

    def test_of_ordered_dict(self):
        self.check(collections.OrderedDict, {1: 2})

    def test_of_defaultdict(self):
        self.check(collections.defaultdict, list)

    def test_of_module(self):
        self.check(types.ModuleType, "name")

    def test_items_and_attributes(self):
        class Sub(list):
            __slots__ = ("slot", "__dict__")
        pairs = Pairs.things()
        obj = Sub([pairs.old])
        obj.slot = pairs.old
        obj.other = pairs.old
        self.remap(pairs, references=3)
        self.assertEqual((obj, obj.slot, obj.other),
                         ([pairs.new], pairs.new, pairs.new))


class InstanceAsOldTests(RemapTestCase):

    def test_instance(self):
        pairs = Pairs(Plain(), Plain())
        pairs.old.name, pairs.new.name = "old", "new"
        holder = [pairs.old, {"k": pairs.old}, (pairs.old,)]
        self.remap(pairs)
        self.assertEqual(holder, [pairs.new, {"k": pairs.new}, (pairs.new,)])
        self.assertEqual((pairs.old.name, pairs.new.name), ("old", "new"))

    def test_instance_of_another_class(self):
        pairs = Pairs(Plain(), Slots())
        holder = [pairs.old]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)

    def test_instance_that_refers_to_itself(self):
        pairs = Pairs(Plain(), Plain())
        pairs.old.me = pairs.old
        self.remap(pairs)
        self.assertIs(pairs.old.me, pairs.new)
        self.assertFalse(hasattr(pairs.new, "me"))

    def test_bound_methods(self):
        class C:
            def get(self):
                return self
        pairs = Pairs(C(), C())
        method = pairs.old.get
        self.remap(pairs)
        self.assertIs(method(), pairs.new)
        self.assertIs(method.__self__, pairs.new)

    def test_two_instances_that_refer_to_each_other(self):
        pairs = Pairs.swap(Plain(), Plain())
        pairs.old.other, pairs.new.other = pairs.new, pairs.old
        # Each was the other's other: now each is its own.
        self.remap(pairs)
        self.assertIs(pairs.old.other, pairs.old)
        self.assertIs(pairs.new.other, pairs.new)
        pairs.old.other = pairs.new.other = None

    def test_dict_outlives_its_instance(self):
        pairs = Pairs(Plain(), Plain())
        pairs.old.a = 1
        namespace = vars(pairs.old)
        holder = [pairs.old]
        self.remap(pairs)
        pairs.list[0] = (None, pairs.new)
        gc.collect()
        self.assertEqual(namespace, {"a": 1})
        namespace["b"] = 2
        self.assertEqual(namespace, {"a": 1, "b": 2})
        self.assertIs(holder[0], pairs.new)

    def test_finalizer_of_the_old_instance(self):
        # It does not run inside gc.remap() as long as the pairs hold it.
        log = []

        class C:
            def __del__(self):
                log.append("finalized")
        pairs = Pairs(C(), Thing())
        holder = [pairs.old]
        self.remap(pairs)
        self.assertEqual(log, [])
        self.assertIs(holder[0], pairs.new)


class NamespaceTests(RemapTestCase):
    """The dict of an instance keeps its special storage, or is refused."""

    def test_dict_becomes_another_dict(self):
        for inline in False, True:
            with self.subTest(inline=inline):
                obj = Plain()
                obj.a = 1
                if not inline:
                    obj.__dict__ = dict(vars(obj))
                pairs = Pairs(vars(obj), {"b": 2})
                try:
                    gc.remap(pairs.list)
                except TypeError:
                    self.assertIs(vars(obj), pairs.old)
                    self.assertEqual(obj.a, 1)
                else:
                    self.assertIs(vars(obj), pairs.new)
                    self.assertEqual(obj.b, 2)
                    self.assertFalse(hasattr(obj, "a"))
                obj.c = 3
                self.assertEqual(vars(obj)["c"], 3)
                vars(obj)["d"] = 4
                self.assertEqual(obj.d, 4)

    def test_dict_becomes_the_dict_of_another_instance(self):
        one, two = Plain(), Plain()
        one.a, two.a = 1, 2
        pairs = Pairs(vars(one), vars(two))
        try:
            gc.remap(pairs.list)
        except TypeError:
            self.assertEqual((one.a, two.a), (1, 2))
        else:
            self.assertIs(vars(one), vars(two))
            self.assertEqual((one.a, two.a), (2, 2))
            one.a = 3
            self.assertEqual(two.a, 3)

    def test_dicts_swapped(self):
        one, two = Plain(), Plain()
        one.a, two.a = 1, 2
        pairs = Pairs.swap(vars(one), vars(two))
        try:
            gc.remap(pairs.list)
        except TypeError:
            self.assertEqual((one.a, two.a), (1, 2))
        else:
            self.assertEqual((one.a, two.a), (2, 1))
        one.a, two.a = 5, 6
        self.assertEqual((vars(one)["a"], vars(two)["a"]), (5, 6))

    def test_dict_becomes_something_else(self):
        for inline in False, True:
            for other in (5, [1], Thing()):
                with self.subTest(inline=inline, other=other):
                    obj = Plain()
                    obj.a = 1
                    if not inline:
                        obj.__dict__ = dict(vars(obj))
                    pairs = Pairs(vars(obj), other)
                    self.refused(pairs, TypeError, "dict")
                    self.assertEqual(obj.a, 1)
                    self.assertIs(vars(obj), pairs.old)

    def test_plain_dict_becomes_the_dict_of_an_instance(self):
        obj = Plain()
        obj.a = 1
        pairs = Pairs({"b": 2}, vars(obj))
        holder = [pairs.old]
        self.remap(pairs)
        self.assertIs(holder[0], vars(obj))
        holder[0]["a"] = 3
        self.assertEqual(obj.a, 3)

    def test_shared_keys_of_a_class(self):
        pairs = Pairs.things()
        cls = type("C", (), {})
        objects = [cls() for _ in range(10)]
        for obj in objects:
            obj.a = pairs.old
            obj.b = 1
        del objects[3].b
        self.remap(pairs)
        late = cls()
        late.b, late.a = 1, pairs.new
        self.assertEqual(list(vars(late)), ["b", "a"])
        for obj in objects:
            self.assertIs(obj.a, pairs.new)

    def test_key_by_value_in_a_namespace(self):
        pairs = Pairs(Key(1), Key(2))
        obj = Plain()
        obj.a = 1
        vars(obj)[pairs.old] = 2
        self.remap(pairs, rehashed=1)
        self.assertEqual(vars(obj), {"a": 1, Key(2): 2})


class AsOfAnotherClassTests(RemapTestCase):
    """What has been found out about the class of an instance, and is known to what
    holds it, is what it is after assigning __class__."""

    def proxy(self, change):
        class A: pass

        class B:
            def __call__(self): pass
        instance = A()
        proxy = weakref.proxy(instance)
        change(A, B, instance)
        return type(instance) is B, type(proxy)

    def parameters(self, change):
        class A: pass

        class B:
            def __typing_subst__(self, argument): return argument
        instance = A()
        alias = types.GenericAlias(list, (instance,))
        before = alias.__parameters__
        change(A, B, instance)
        return type(instance) is B, before, alias.__parameters__

    def stream(self, change):
        class Base:
            closed = False
            readable = seekable = lambda self: True
            writable = lambda self: False
            flush = close = lambda self: None
            tell = lambda self: 0
            read = lambda self, n: b"a"

        class A(Base):
            read1 = Base.read

        class B(Base): pass
        instance = A()
        stream = io.TextIOWrapper(instance)
        text = stream.read(1)
        change(A, B, instance)
        try:
            return type(instance) is B, text, stream.read(1)
        except AttributeError as e:
            return type(instance) is B, text, str(e)

    def test_as_by_assignment(self):
        def assign(old, new, instance):
            instance.__class__ = new

        def remap(old, new, instance):
            gc.remap([(old, new)])
        for case in self.proxy, self.parameters, self.stream:
            with self.subTest(case.__name__):
                self.assertEqual(case(remap), case(assign))
                self.assertTrue(case(remap)[0])


if __name__ == "__main__":
    main()
