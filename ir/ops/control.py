"""Programs inside programs."""

from wengert.ir.kinds import Control, refuse


def _result_types(op, types, params):
    if params["graph"].guards:
        raise refuse(op, "a called graph must have no guards, which its caller could not see; inline it instead.")
    expected = tuple(v.type for v in params["graph"].inputs)
    if types != expected:
        raise refuse(op, f"the called graph takes {expected}, got {types}.")
    return tuple(v.type for v in params["graph"].outputs)


call = Control(name="call", params=("graph",),
    types=_result_types,
    inline=lambda builder, operands, params: builder.inline(params["graph"], operands),
    doc="Run another graph, one without guards, on the operands.")
