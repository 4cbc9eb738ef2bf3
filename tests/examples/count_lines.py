"""How long the two shapes are: lines of code between "begin: replacement of
references" and "end", without comments and blank lines."""

import pathlib
import re

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"

PAIRS = {
    "struct members": ("c_struct_members/struct_members.c",
                       "rival_shape/rival_struct_members.c"),
    "hash table": ("c_hash_table/hash_table.c",
                   "rival_shape/rival_hash_table.c"),
    "opaque accessor": ("c_opaque_accessor/opaque_accessor.c",
                        "rival_shape/rival_opaque_accessor.c"),
    "map and smart pointer": ("cpp_map_smart_ptr/map_smart_ptr.cpp",
                              "rival_shape/rival_map_smart_ptr.cpp"),
}


def lines_of_code(path):
    text = (EXAMPLES / path).read_text()
    region, = re.findall(r"--- begin: replacement of references ---(.*?)--- end ---",
                         text, re.DOTALL)
    region = re.sub(r"^ \*/", "", region)
    region = re.sub(r"/\*.*?\*/|//[^\n]*|/\*\s*$", "", region, flags=re.DOTALL)
    return sum(1 for line in region.splitlines() if line.strip())


def counts():
    return {what: tuple(map(lines_of_code, paths)) for what, paths in PAIRS.items()}


if __name__ == "__main__":
    for what, (ours, rival) in counts().items():
        print(f"| {what} | {ours} | {rival} |")
