"""C8: variables that load or steer code do not reach the program, and PATH is cleaned."""


def test_python_start_up_does_not_reach_the_program(vault):
    env = {"PYTHONPATH": "/evil", "BASH_ENV": "/evil/rc", "EVERYDAY": "here"}
    lines = vault.ok("run", "-s", "API_TOKEN", "--", "env", env=env).text.splitlines()
    assert "EVERYDAY=here" in lines
    assert not [line for line in lines if line.startswith(("PYTHONPATH=", "BASH_ENV="))]
