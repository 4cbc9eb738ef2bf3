"""A reload: completely, or not at all.

    select    which modules have been edited (nothing else is done if none)
    bodies    if only bodies of functions have been: swap code objects, done
    execute   in drafts; the program does not see them
    match     old objects with new ones
    register  with others once, and what is new with values that stay
    migrate   instances that do not fit
    remap     everything at once
    settle    names that are gone; from-imports of plain values
    hooks     `__reload__` of modules and classes

Up to *remap* nothing has changed, but for what the module itself does to
others when it is executed: what it registers with them. An exception after that undoes all.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

from . import bodies, codes, execute, instances, main_program, singledispatch, source
from .additions import Additions
from .caches import forget_results
from .errors import ReloadError, ReloadRefused, explanation
from .functions import LRU_CACHE, functions_with, retired
from .journal import Journal
from .match import Matcher
from .plan import Plan
from .registrations import Registrations, tables_of_the_program
from .report import Report
from .source import Record, Source
from .users import users_of

STAGES = ("select", "execute", "match", "migrate", "prepare", "remap", "settle", "hooks")

probe: Callable[[str], None] | None = None
"""Called after each stage, for tests. What it raises makes the reload fail there."""

_lock = threading.RLock()
_under_way: list[bool] = []


@contextlib.contextmanager
def _no_other() -> Iterator[None]:
    _under_way.append(True)
    try:
        yield
    finally:
        _under_way.pop()


def reload(modules: ModuleType | str | Iterable[ModuleType | str] | None = None, *,
           force: bool = False) -> Report:
    """Take edited modules into the running program, completely or not at all.

    `modules` is a module or its name, or several, which are one transaction;
    without it, all modules of the program. Modules whose file has not been
    edited are left alone, unless `force` is true.

    Raises what compiling or executing a module raises, what a `__reload__` hook
    raises, `ReloadRefused` if the edit cannot be taken in, or `ReloadError` if a module has
    no source file, is not imported, or is reloaded by what a reload executes. Then the
    program is as it was. Raises `TypeError` if something else than modules is given.
    """
    begin = time.perf_counter()
    with _lock:
        if _under_way:
            raise ReloadError("a reload is under way, and has called reload() itself: modules and "
                              "__reload__ hooks cannot")
        selected = _select(modules, force)
        if not selected:
            return Report(seconds=time.perf_counter() - begin)
        with execute.collector_paused(), _no_other():
            report = _Reload(selected, force).run()
        report.seconds = time.perf_counter() - begin
        return report


@dataclass(slots=True)
class _Edit:
    """A module that has been edited."""

    module: ModuleType
    record: Record
    new: Source
    stamp: source.Stamp


def _select(modules: Any, force: bool) -> list[_Edit]:
    if modules is None:
        candidates = list(source.records.values())
        if not force:
            candidates = source.touched(candidates)
        found = [(sys.modules[record.name], record) for record in candidates
                 if record.name in sys.modules]
    else:
        if isinstance(modules, (ModuleType, str)):
            modules = [modules]
        found = []
        for module in modules:
            if isinstance(module, str):
                if module not in sys.modules:
                    raise ReloadError(f"{module} is not imported: there is nothing to replace")
                module = sys.modules[module]
            if not isinstance(module, ModuleType):
                raise TypeError(f"{module!r} is not a module")
            found.append((module, source.record_of(module)))
    selected = []
    for module, record in found:
        if not force and record.stamp is not None and not source.touched([record]):
            continue
        stamp = source.stamp(record.path)
        if stamp is None:
            continue
        text = source.read(record.path)
        if not force and record.source is not None and record.source.text == text:
            record.stamp = stamp
            continue
        new = Source(text, record.path, getattr(module, "__loader__", None))
        selected.append(_Edit(module, record, new, stamp))
    return _in_order(selected)


def _in_order(selected: list[_Edit]) -> list[_Edit]:
    """Modules that others import come before these.

    Of those that import each other, the ones whose names are imported.
    """
    if len(selected) < 2:
        return selected
    by_name = {edit.module.__name__: edit for edit in selected}
    names_from = {name: {origin for origin, _, _ in edit.new.outline.imported_names(
                      edit.module.__package__ or "")} for name, edit in by_name.items()}
    ordered: dict[str, _Edit] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name not in by_name or name in visiting:
            return
        visiting.add(name)
        edit = by_name[name]
        for needed in edit.new.imports(edit.module.__package__ or ""):
            if needed in names_from[name] or not _leads_to(needed, name, names_from):
                visit(needed)
        ordered[name] = edit
    for name in by_name:
        visit(name)
    return list(ordered.values())


def _leads_to(start: str, goal: str, edges: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            pending += edges.get(name, ())
    return False


def reached(stage: str) -> None:
    if probe is not None:
        probe(stage)


class _Reload:
    """One transaction."""

    def __init__(self, selected: list[_Edit], force: bool) -> None:
        self.selected = selected
        self.force = force
        self.journal = Journal()
        self.drafts: list[tuple[ModuleType, ModuleType]] = []
        """With their modules. As pairs of the mapping they are not replaced."""
        self.packages: list[tuple[ModuleType, ModuleType]] = []
        self.registrations: Registrations | None = None
        self.report = Report(modules=tuple(edit.module.__name__ for edit in selected))

    def run(self) -> Report:
        reached("select")
        for edit in self.selected:
            edit.new.code  # noqa: B018 (a syntax error ends it here)
        try:
            gone = {} if not self.force and self._bodies() else self._remap()
            for edit in self.selected:
                edit.record.take(edit.new, edit.stamp)
        except BaseException:
            self.journal.undo()
            gc.collect(1)  # the drafts
            raise
        finally:
            for pair in [*self.drafts, *self.packages]:
                execute.retire(*pair)
        # What the reload itself holds is not a use.
        self.journal.forget()
        self.registrations, self.drafts, self.packages = None, [], []
        self.report.deleted = users_of(gone)
        return self.report

    # The cheap way.

    def _bodies(self) -> bool:
        plans = []
        for edit in self.selected:
            plan = bodies.plan(edit.module, edit.record, edit.new)
            if plan is None:
                return False
            plans.append(plan)
        reached("match")
        for plan in plans:
            plan.apply(self.journal)
        reached("prepare")
        inner = [pair for plan in plans for pair in plan.inner]
        if inner:
            gc.collect(0)  # what is young from now on is not the program's
            self.report.references, _ = self.journal.remap(inner, inner)
        reached("remap")
        for plan in plans:
            plan.finish()
            self.report.changed += plan.changed
        self.report.way = "bodies"
        return True

    # The way that executes the modules.

    def _remap(self) -> dict[str, Any]:
        """Do it, and return the definitions that are gone."""
        made = execute.Made()
        functions: list[list[FunctionType]] = []
        tables: dict[int, Any] = {}
        try:
            functions += self._functions()
            tables |= tables_of_the_program()
            self._execute()
        finally:
            self.registrations = Registrations(self.drafts, functions, tables,
                                               made.objects())
            self.journal.note(self.registrations.withdraw)
        reached("execute")
        plan = Plan([*self.drafts, *self.packages])
        self.journal.note(plan.forget)
        matchers = [Matcher(plan, edit.module, draft, edit.record, edit.new,
                            self.registrations.fresh)
                    for edit, (draft, _) in zip(self.selected, self.drafts)]
        for step in (Matcher.moves, Matcher.definitions, Matcher.remaining_values):
            for matcher in matchers:
                step(matcher)
        for matcher, olds in zip(matchers, functions):
            matcher.leftovers(olds, self.registrations.made.values())
        reached("match")
        self.registrations.forget_duplicates(plan, self.journal)
        Additions(self.registrations, plan, self.journal).add()
        hooked = instances.migrate(plan, self.journal)
        reached("migrate")
        gone = Commit(self.journal, self.report, plan, matchers, hooked).run()
        plan.forget()
        return gone

    def _functions(self) -> list[list[FunctionType]]:
        """The functions of each module, also deleted ones, but not what failed reloads left."""
        found = functions_with(*(vars(edit.module) for edit in self.selected))
        for edit, functions in zip(self.selected, found):
            if edit.record.source is not None:
                known = edit.record.source.qualnames | edit.record.former
                functions[:] = [f for f in functions if f.__code__.co_qualname in known]
        return found

    def _execute(self) -> None:
        modules = {edit.module.__name__: edit.module for edit in self.selected}
        with execute.drafts_in_place([*modules.values()], self.journal) as packages:
            self.packages += [(package, execute.original_of(package)) for package in packages]
            for edit in self.selected:
                draft = execute.draft_of(edit.module, modules)
                self.drafts.append((draft, edit.module))
                if edit.module.__name__ == "__main__":
                    code = main_program.prepare(edit.module, draft, edit.record, edit.new)
                else:
                    code = edit.new.code
                execute.execute(draft, code)


class Commit:
    """Carries out a plan. The journal takes it back."""

    def __init__(self, journal: Journal, report: Report, plan: Plan, matchers: list[Matcher],
                 hooked: list[tuple[Any, dict[str, Any]]]) -> None:
        self.journal = journal
        self.report = report
        self.plan = plan
        self.matchers = matchers
        self.hooked = hooked

    def run(self) -> dict[str, Any]:
        self._prepare()
        reached("prepare")
        # Objects in these lists are not replaced, those elsewhere are.
        plan = self.plan
        plan.finish()
        try:
            references, left_behind = self.journal.remap(plan.pairs, plan.undoable, self._abandon)
        except (TypeError, ValueError) as error:
            raise ReloadRefused(explanation(error)) from error
        self.report.references = references
        reached("remap")
        self._settle()
        reached("settle")
        self._hooks(plan.undoable)
        reached("hooks")
        gone = self._report(plan.pairs, left_behind)
        self._merge()
        forget_results(self._edited())
        self._abandon(plan.undoable)
        return gone

    def _edited(self) -> set[int]:
        """The functions that are new, and the code that is, by id."""
        return {id(new) for old, new in self.plan.undoable
                if type(old) is FunctionType
                or type(old) is CodeType and not codes.same_code(old, new)}

    def _merge(self) -> None:
        """What cannot be undone comes last."""
        if self.plan.merged:
            try:
                self.journal.remap(self.plan.merged, [])
            except (TypeError, ValueError) as error:
                raise ReloadRefused(explanation(error)) from error

    def _prepare(self) -> None:
        """What does not show before the remap: new classes, new names."""
        for cls, name, value in self.plan.carried:
            instances.set_on_class(cls, name, value)
        for function, name, value in self.plan.attributes:
            vars(function)[name] = value
        for cls, registered in self.plan.registered:
            cls.register(registered)  # type: ignore[attr-defined]
        for old, new in self.plan.refreshed:
            for name in ("__doc__", "__annotations__", "__dict__"):
                self._refresh(old, new, name)
            if hasattr(old, "registry") and hasattr(old, "_clear_cache"):
                singledispatch.merge(old, new, self.journal)
        for matcher in self.matchers:
            namespace = vars(matcher.module)
            self.journal.restore_mapping_later(namespace)
            namespace.update(matcher.new_items())

    def _abandon(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        pairs = list(pairs)
        instances.abandon(pair for pair in pairs if id(pair[0]) in self.plan.rebuilt_ids)
        retired.update(old for old, _ in pairs if type(old) is FunctionType)

    def _refresh(self, old: Any, new: Any, name: str) -> None:
        """A wrapper that stays tells of the function that it wraps now."""
        if isinstance(old, LRU_CACHE) or not hasattr(old, "__wrapped__"):
            return
        if name == "__dict__":
            for key, value in vars(new).items():
                if key not in vars(old):
                    self.journal.set_item(vars(old), key, value)
        elif getattr(old, name, None) != getattr(new, name, None):
            self.journal.set_attribute(old, name, getattr(new, name))

    def _settle(self) -> None:
        imports = _Imports(self.journal)
        for matcher in self.matchers:
            namespace = vars(matcher.module)
            self.journal.restore_mapping_later(namespace)
            for name in matcher.deleted:
                namespace.pop(name, None)
            for name, old, new in matcher.values:
                imports.follow(matcher.name, name, old, new)
        for _, cls in self.plan.classes:
            instances.update_abstract_methods(cls, self.journal)

    def _hooks(self, replaced: list[tuple[Any, Any]]) -> None:
        for matcher in self.matchers:
            hook = vars(matcher.module).get("__reload__")
            if hook is not None:
                for name in matcher.outline:
                    value = vars(matcher.module).get(name)
                    if type(value) in (list, dict, set):
                        self.journal.note(_restorer(value))
                hook(matcher.old_namespace(replaced))
        for instance, old in self.hooked:
            state = instances.attributes(instance)
            self.journal.note(partial(instances.restore_attributes, instance, state))
            instance.__reload__(old)

    def _report(self, pairs: list[tuple[Any, Any]],
                left_behind: list[tuple[int, tuple[str, ...]]]) -> dict[str, Any]:
        report = self.report
        report.way = "remap"
        report.instances = len(self.plan.rebuilt)
        # An instance that has been rebuilt may keep its class, and goes with it.
        going = Counter(id(type(obj)) for obj, _ in pairs if id(obj) in self.plan.rebuilt_ids)
        for (old, _), (count, holders) in zip(pairs, left_behind):
            if count > going[id(old)] and isinstance(old, (type, FunctionType)):
                name = f"{old.__module__}:{old.__qualname__}"
                report.left_behind[name] = count - going[id(old)]
                report.held_by[name] = list(holders)
        gone: dict[str, Any] = {}
        for matcher in self.matchers:
            report.changed += dict.fromkeys(matcher.changed)
            report.added += matcher.added
            report.kept += matcher.state
            gone |= {f"{matcher.name}:{name}": obj for name, obj in matcher.deleted.items()
                     if matcher.old_outline is None or not matcher.old_outline.is_import(name)}
        return gone


def _restorer(container: Any) -> Callable[[], None]:
    items = container.copy()

    def undo() -> None:
        container.clear()
        (container.extend if isinstance(container, list) else container.update)(items)
    return undo


class _Imports:
    """Which modules of the program have imported what by name."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @cached_property
    def _importers(self) -> dict[str, list[tuple[str, str, str]]]:
        """For each module: the name there, the module that has imported it, the name here."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for record in list(source.records.values()):
            if record.source is not None:
                module = sys.modules.get(record.name)
                package = getattr(module, "__package__", None) or ""
                for origin, there, here in record.source.outline.imported_names(package):
                    found.setdefault(origin, []).append((there, record.name, here))
        return found

    def follow(self, module: str, name: str, old: Any, new: Any) -> None:
        """Bind an edited value where it has been imported by name, also from there.

        Numbers, strings and the like have no identity that could be followed.
        """
        seen: set[tuple[str, str]] = set()
        pending = [(module, name)]
        while pending:
            module, name = pending.pop()
            if (module, name) in seen:
                continue
            seen.add((module, name))
            for there, importer, here in self._importers.get(module, ()):
                namespace = getattr(sys.modules.get(importer), "__dict__", {})
                here = name if there == "*" else here
                # One that is reloaded as well has the new value already.
                if there in (name, "*") and here in namespace \
                        and (namespace[here] is old or namespace[here] is new):
                    self._journal.set_item(namespace, here, new)
                    pending.append((importer, here))
