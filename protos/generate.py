"""Generate the Python code of the protos, or check that what is checked in is what they give.

`python protos/generate.py` writes ledger/api/v1 and ledger/internal/v1; `--check` compares bytes and exits 1 on a difference.
The rules of protovalidate reach protoc as a descriptor set taken from the installed library, and stand in the protos as
`import option`: generated code then imports nothing of `buf`, and a caller's process never gets a second copy of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
INCLUDE = Path(protoc.__file__).parent / "_proto"
PACKAGES = ("ledger/api", "ledger/internal")


def dependencies() -> bytes:
    """Return the descriptor set of everything imported that is not ours."""
    from google.protobuf import any_pb2
    from google.rpc import status_pb2

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, timestamp_pb2, duration_pb2, field_mask_pb2, any_pb2, status_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.append(descriptor_pb2.FileDescriptorProto.FromString(validate_pb._DESC.proto.to_binary()))
    return files.SerializeToString(deterministic=True)


def generate(target: Path) -> None:
    """Write the generated code of every proto below `target`."""
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / "ledger").rglob("*.proto"))
    services = [source for source in sources if source.endswith("_service.proto")]
    # The stub plugin is found by name: look beside this interpreter first, whether its environment is activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.NamedTemporaryFile(suffix=".binpb") as set_file:
        set_file.write(dependencies())
        set_file.flush()
        common = ["protoc", f"--proto_path={PROTOS}", f"--descriptor_set_in={set_file.name}"]
        run([*common, f"--python_out={target}", f"--mypy_out=quiet:{target}", *sources])
        run([*common, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *services])


def run(arguments: list[str]) -> None:
    """Run protoc, or end with its complaint."""
    if protoc.main(arguments) != 0:
        sys.exit("protoc refused the protos: see above")


def generated(below: Path) -> dict[str, bytes]:
    """Return the generated files below a folder, by relative path."""
    return {
        path.relative_to(below).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in sorted((below / package).rglob("*_pb2*"))
        if path.suffix in {".py", ".pyi"}
    }


def main() -> None:
    """Generate, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is checked in; change nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, here = generated(Path(folder)), generated(ROOT)
    if not check:
        for name in here.keys() - fresh.keys():
            (ROOT / name).unlink()
        for name, content in fresh.items():
            if here.get(name) != content:
                (ROOT / name).write_bytes(content)
        return
    different = sorted(name for name in fresh.keys() | here.keys() if fresh.get(name) != here.get(name))
    if different:
        sys.exit("Generated code is not what the protos give: run `make protos`.\n" + "\n".join(different))
    print(f"{len(here)} generated files are what the protos give.")


if __name__ == "__main__":
    main()
