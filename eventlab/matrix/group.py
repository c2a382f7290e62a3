"""A group of subscribers with one database, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventlab.matrix.store import Store
from eventlab.waiting import wait_until

if TYPE_CHECKING:
    from eventlab.matrix.child import Child
    from eventlab.matrix.scene import Scene


class Group:
    """The subscribers of a scene, and the SQL database in which the effects of records are."""

    def __init__(self, scene: Scene, **task: Any) -> None:
        self._scene, self._task = scene, task
        self._path = scene.folder / "effects.db"
        Store.create(self._path)
        self.store = Store(self._path)
        self._members: list[Child] = []
        scene.on_close.callback(self.store.close)

    def start(self, name: str, **more: Any) -> Child:
        """Start a subscriber; `then` and `after` say what happens to it, and after how many."""
        task = {"commit": "after", **self._task, **more, "store": str(self._path)}
        self._members.append(self._scene.start("subscriber", name, **task))
        return self._members[-1]

    def wait_for(self, count: int, within: float = 45) -> None:
        """Return when so many records were handled, or put aside."""
        wait_until(lambda: self._done(count), within, lambda: f"{self.handled} were handled.")

    def _done(self, count: int) -> bool:
        for member in self._members:
            member.check()
        return self.handled >= count

    @property
    def handled(self) -> int:
        """How many records were handled, or put aside."""
        return len(self.store.places())

    def finish(self, count: int) -> None:
        """End the members when so many records were handled; the judge gets what SQL says."""
        import pandas as pd

        self.wait_for(count)
        for member in self._members:
            member.end()
        places = self.store.places()
        self._scene.rules["effects"] = pd.DataFrame(
            places, columns=["topic", "partition", "offset"]
        )
        done = len(places) - self.store.parked()
        told = f"{self.store.count()} effects of {done} records that were handled"
        self._scene.expect(self.store.count() == done, told)
