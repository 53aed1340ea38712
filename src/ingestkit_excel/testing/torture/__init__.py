"""A spool under torture: many processes, faults, and a verdict from what each of them saw.

``python -m ingestkit_excel.testing.torture`` submits jobs to a spool, runs and reads them in
processes of their own, and meanwhile kills, pauses and cheats those processes. Then
`ingestkit_excel.testing.verdict` says whether a promise was broken.
"""
