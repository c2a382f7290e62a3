"""How a cluster and its nodes show themselves: a table in a notebook, one line in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

NODE_COLUMNS = ("node_id", "role", "state", "pid", "address")


def node_line(node: Mapping[str, Any]) -> str:
    """Return one line that can be read aloud."""
    pid = f" · pid {node['pid']}" if node["pid"] else ""
    title = str(node["role"]).capitalize()
    return f"<{title} {node['node_id']} · {node['address']} · {node['state']}{pid}>"


def cluster_line(state: Mapping[str, Any]) -> str:
    """Return one line: name, version, how many nodes run, where to connect."""
    nodes = state["nodes"]
    running = sum(node["state"] == "running" for node in nodes)
    return (
        f"<Cluster {state['name']} · Kafka {state['kafka_version']} · {running} of {len(nodes)}"
        f" nodes running · {state['bootstrap_servers']}>"
    )


def cluster_table(state: Mapping[str, Any]) -> str:
    """Return the table of the nodes under a line about the cluster."""
    title = (
        f"Cluster <b>{escape(state['name'])}</b>, Kafka {escape(state['kafka_version'])},"
        f" bootstrap servers <code>{escape(state['bootstrap_servers'])}</code>"
    )
    return f"<p>{title}</p>{table(state['nodes'], NODE_COLUMNS)}"


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return an HTML table; every value is escaped, None is an empty cell."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{_cells(row, columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    values = ("" if row[column] is None else str(row[column]) for column in columns)
    return "".join(f"<td>{escape(value)}</td>" for value in values)
