"""Words that mean the same thing to a buyer, in families: colours, materials, kinds of product.

A word in no family is one that nothing can be concluded from, such as "espresso" or "assorted".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _families(lines: str) -> Mapping[str, str]:
    """Return the family of each word; a line starts with the family's name."""
    return {
        word: words[0]
        for words in (line.split() for line in lines.strip().splitlines())
        for word in words
    }


COLOURS: Final = _families("""
black ebony jet
white ivory
grey gray charcoal graphite
silver chrome nickel
gold golden
brass
bronze copper
brown tan chocolate walnut mocha coffee cognac chestnut
beige cream taupe khaki
red burgundy maroon crimson scarlet
orange
yellow mustard
green olive lime mint
blue navy indigo turquoise teal aqua cyan
purple violet lavender lilac plum
pink fuchsia magenta rose
clear transparent
""")

MATERIALS: Final = _families("""
wood wooden oak walnut pine teak mahogany sheesham bamboo plywood mdf birch beech acacia
metal metallic steel iron aluminum aluminium brass bronze copper zinc nickel silver gold platinum \
sterling alloy
leather suede nubuck leatherette
fabric cotton polyester linen wool nylon canvas velvet silk denim microfiber jute felt lace \
textile cloth
plastic acrylic polypropylene polyethylene pvc polycarbonate abs vinyl resin
glass crystal
ceramic porcelain stoneware terracotta
rubber silicone tpu latex
stone marble granite slate
paper cardboard
foam
""")

KINDS: Final = _families("""
footwear shoe sneaker boot sandal heel loafer slipper oxford flat pump moccasin clog mule
seat chair sofa couch stool bench ottoman recliner armchair loveseat
table desk nightstand
bed headboard mattress
bedding pillow pillowcase sheet blanket quilt duvet comforter
jewelry jewellery ring necklace earring bracelet pendant anklet finering fineearring \
finenecklacebraceletanklet
bag handbag backpack suitcase wallet purse tote luggage briefcase clutch
lamp light bulb lightbulb chandelier sconce lantern
rug carpet mat
clock watch
curtain drape
cable charger adapter
shirt dress pants jeans jacket sweater hoodie shorts skirt
""")
