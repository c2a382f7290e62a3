"""The process that owns the JVMs of one cluster, and ends them with the last of its owners.

Jupyter signals a kernel's whole process group: "Interrupt" would kill brokers that a kernel had
started itself, "Restart" would leak them. So they belong to this process, in a session of its own.
It takes one JSON object a line on the Unix socket `control` in the cluster's folder, answers with
one, watches its owners (kernels, JupyterLab, a test run), and is the network between the nodes.

    python -m eventlab.cluster.supervisor FOLDER

Standard library and psutil only: it starts in 0.1 s, and 0.1 s is what a start notices.
"""
