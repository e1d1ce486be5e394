"""The shipping coordinator in virtual time, unchanged, while everything goes wrong that can. One seed is one history.

world, histories, ...       a small world that makes up programs: `python -m regrow.simulation SEED`
fleet, scenario, ...        a large one, of machines, zones, costs and traces: `regrow simulate run FILE`
formulas, compare           other systems beside regrow: `regrow simulate compare`
"""
