"""The SOC's agents: who they are, and the only way to make one."""
