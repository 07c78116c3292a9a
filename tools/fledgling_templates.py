"""The tables behind fledgling_problems.py: topics, names and the templates of the word problems.

A template is a few sentences with slots. `[a|b]` picks one wording, `{word}` is filled from the topic and the
people, `{a}` is a number, and `{x=a*b}` in a step is worked out, printed as `14 * 3 = 42` and named x for later steps.
"""

# kind -> (slot names, topics); one topic a line.
TOPICS = {
    "things": (
        "thing things box boxes get gets others",
        """apple/apples/basket/baskets/pick/picks/pears
        pencil/pencils/box/boxes/buy/buys/pens
        sticker/stickers/sheet/sheets/collect/collects/cards
        marble/marbles/bag/bags/win/wins/buttons
        book/books/shelf/shelves/buy/buys/magazines
        cookie/cookies/tray/trays/bake/bakes/muffins
        tulip/tulips/vase/vases/pick/picks/roses
        egg/eggs/carton/cartons/gather/gathers/rolls
        card/cards/pack/packs/collect/collects/coins
        shell/shells/bucket/buckets/find/finds/stones
        button/buttons/jar/jars/sew/sews/beads
        brick/bricks/crate/crates/order/orders/tiles
        candle/candles/box/boxes/make/makes/lamps
        photo/photos/album/albums/print/prints/posters
        bottle/bottles/case/cases/fill/fills/cans
        balloon/balloons/bunch/bunches/buy/buys/flags
        bead/beads/string/strings/paint/paints/buttons
        toy car/toy cars/case/cases/build/builds/toy boats
        lemon/lemons/net/nets/pick/picks/limes
        postcard/postcards/bundle/bundles/write/writes/letters
        tart/tarts/tin/tins/bake/bakes/pies
        potato/potatoes/sack/sacks/dig/digs/carrots
        acorn/acorns/pouch/pouches/gather/gathers/chestnuts
        paper star/paper stars/banner/banners/fold/folds/paper moons
        ticket/tickets/roll/rolls/print/prints/programs
        sandwich/sandwiches/platter/platters/make/makes/wraps""",
    ),
    "trips": (
        "goes go units place",
        """rides a bike/ride a bike/miles/the lake
        walks/walk/kilometers/the mill
        drives a van/drive a van/miles/the coast
        sails/sail/miles/the island
        paddles a canoe/paddle a canoe/kilometers/the bridge
        hikes/hike/kilometers/the summit
        skates/skate/kilometers/the park
        rows a boat/row a boat/kilometers/the harbor
        runs/run/kilometers/the tower
        flies a small plane/fly a small plane/miles/the airfield
        rides a horse/ride a horse/miles/the ranch
        drives a tractor/drive a tractor/miles/the market""",
    ),
    "jobs": (
        "does do item items",
        """mows lawns/mow lawns/lawn/lawns
        walks dogs/walk dogs/dog/dogs
        washes cars/wash cars/car/cars
        paints fences/paint fences/fence/fences
        cleans windows/clean windows/window/windows
        rakes yards/rake yards/yard/yards
        delivers parcels/deliver parcels/parcel/parcels
        repairs bikes/repair bikes/bike/bikes
        knits scarves/knit scarves/scarf/scarves
        bakes cakes/bake cakes/cake/cakes
        sews shirts/sew shirts/shirt/shirts
        carves bowls/carve bowls/bowl/bowls""",
    ),
    "groups": (
        "venue people part parts",
        """school/students/class/classes
        choir/singers/row/rows
        camp/campers/tent/tents
        theater/guests/row/rows
        train/passengers/car/cars
        club/players/team/teams
        library/readers/table/tables
        fair/visitors/stall/stalls
        museum/visitors/tour/tours
        hotel/guests/floor/floors
        farm/workers/field/fields
        ship/sailors/deck/decks""",
    ),
    "stuff": (
        "stuff units jar jars",
        """flour/kilograms/bag/bags
        rice/kilograms/sack/sacks
        milk/liters/can/cans
        juice/liters/jug/jugs
        paint/liters/bucket/buckets
        sand/kilograms/cart/carts
        water/liters/barrel/barrels
        sugar/kilograms/box/boxes
        soup/liters/pot/pots
        oil/liters/bottle/bottles
        honey/grams/jar/jars
        tea/grams/tin/tins""",
    ),
}

WOMEN = """Ada Bella Clara Dina Ella Fiona Grace Hanna Iris Julia Kira Lena Mia Nora Olga Paula Rosa Sara Tessa Uma Vera
Wendy Yara Zoe""".split()
MEN = """Adam Ben Carl David Emil Felix Gus Hugo Ivan Jonas Karl Leo Max Noah Oscar Paul Quinn Rob Sam Tom Umar Victor
Will Zack""".split()

# kind | name | numbers | question | steps, one a line
TEMPLATES = """
things | boxes and a gift | a=3..40 b=3..36 c=5..400
{name} [buys|orders] {a} {boxes} of {things}. [Each|Every] {box} holds {b} {things}. {He} gives {c} {things} to {friend}. How many {things} does {name} have left?
The {boxes} hold {x=a*b} {things}.
After the gift {name} has {y=x-c} {things} left.

things | more on Tuesday | a=11..450 b=5..300
[On Monday {name} {gets} {a} {things}.|{name} {gets} {a} {things} on Monday.] On Tuesday {he} {gets} {b} more {things} than on Monday. How many {things} does {he} {get} on both days [together|in total]?
On Tuesday {name} {gets} {x=a+b} {things}.
On both days {he} {gets} {y=a+x} {things}.

things | shared among friends | a=8..600 b=4..390 c=2..9
{name} has {a} {things} and {gets} {b} more. {He} shares all of them equally among {c} friends. How many {things} does each friend [get|receive]?
{name} has {x=a+b} {things} to share.
Each friend gets {y=x/c} {things}.

things | twice as many | a=12..330
{name} has {a} {things}. {friend} has twice as many {things} [as {name}|as {he} has]. How many {things} do they have [together|in all]?
{friend} has {x=a*2} {things}.
Together they have {y=a+x} {things}.

things | times and fewer | a=6..150 b=3..9 c=4..500
{name} has {a} {things}. {friend} has {b} times as many {things} as {name}. {third} has {c} fewer {things} than {friend}. How many {things} does {third} have?
{friend} has {x=a*b} {things}.
{third} has {y=x-c} {things}.

things | rest into boxes | a=30..980 b=5..600 c=2..9
{name} has {a} {things}. {He} gives away {b} of them and puts the rest into {boxes} of {c}. How many {boxes} does {he} fill?
After giving some away {name} has {x=a-b} {things}.
{He} fills {y=x/c} {boxes}.

things | two kinds | a=3..12 b=4..30 c=3..12 d=4..30
On a table there are {a} {boxes} with {b} {things} each and {c} {boxes} with {d} {others} each. How many {things} and {others} are there [in all|altogether]?
There are {x=a*b} {things}.
There are {y=c*d} {others}.
Together that makes {z=x+y}.

things | change | a=3..60 b=2..9 c=50..600
[Each|One] {box} of {things} costs {a} dollars. {name} buys {b} {boxes} and pays with {c} dollars. How much change does {he} get?
The {boxes} cost {x=a*b} dollars.
{name} gets {y=c-x} dollars back.

things | profit | a=8..90 b=2..9 c=10..300
{name} sells {a} {things} for {b} dollars each. {He} spent {c} dollars to [make|get] them. How much profit does {name} have?
{name} takes in {x=a*b} dollars.
The profit is {y=x-c} dollars.

things | every day | a=5..80 b=3..12 c=5..500
{name} {gets} {a} {things} [every|each] day for {b} days. Then {he} uses {c} of them. How many {things} does {he} have left?
In {b} days {name} {gets} {x=a*b} {things}.
After using some {he} has {y=x-c} {things} left.

things | half are red | a=20..998 b=3..400
{name} has {a} {things}. Half of them are red. {He} gives {b} of the red ones to {friend}. How many red {things} does {name} [have left|still have]?
{name} has {x=a/2} red {things}.
After the gift {he} has {y=x-b} red {things}.

things | lost and found | a=20..990 b=5..600 c=4..500
{name} had {a} {things}. {He} lost {b} of them and later found {c} others. How many {things} does {name} have now?
After the loss {name} had {x=a-b} {things}.
Now {he} has {y=x+c} {things}.

things | three days | a=10..400 b=10..400 c=10..400
{name} {gets} {a} {things} on Friday, {b} on Saturday and {c} on Sunday. How many {things} is that [in total|in all]?
On Friday and Saturday {name} {gets} {x=a+b} {things}.
With Sunday that makes {y=x+c} {things}.

things | average | a=10..330 b=10..330 c=10..330
{name} {gets} {a} {things} on Friday, {b} on Saturday and {c} on Sunday. How many {things} is that on average [per|a] day?
On Friday and Saturday {name} {gets} {x=a+b} {things}.
With Sunday that makes {y=x+c} {things}.
On average {he} {gets} {z=y/3} {things} a day.

things | fewer than a friend | a=20..550 b=5..400
{name} has {a} {things}. {friend} has {b} fewer {things} than {name}. How many {things} do they have [together|in all]?
{friend} has {x=a-b} {things}.
Together they have {y=a+x} {things}.

things | party | a=60..980 b=3..20 c=4..40
{name} needs {a} {things} for a [party|school fair]. {He} already has {b} {boxes} with {c} {things} each. How many more {things} does {he} need?
{name} already has {x=b*c} {things}.
{He} needs {y=a-x} more {things}.

things | put together | a=20..500 b=20..490 c=2..9
{name} has {a} {things} and {friend} has {b} {things}. They put them together and [fill|make] {boxes} of {c}. How many {boxes} do they get?
Together they have {x=a+b} {things}.
They get {y=x/c} {boxes}.

things | three colors | a=60..980 b=8..450 c=8..450
[A shop|A big store] has {a} {things}. {b} of them are red, {c} are blue and the rest are green. How many {things} are green?
Red and blue {things} make {x=b+c} together.
So {y=a-x} {things} are green.

things | costs more | a=3..60 b=2..50 c=2..9
One {box} of {things} costs {a} dollars. One {box} of {others} costs {b} dollars more. How much do {c} {boxes} of {others} cost?
One {box} of {others} costs {x=a+b} dollars.
Then {c} {boxes} cost {y=x*c} dollars.

things | boxes sold | a=10..90 b=4..24 c=3..80
A shop has {a} {boxes} with {b} {things} in each. It sells {c} {boxes}. How many {things} are left in the shop?
The shop has {x=a-c} {boxes} left.
They hold {y=x*b} {things}.

things | shop day | a=100..900 b=10..400 c=10..400 d=10..500
A shop has {a} {things}. It sells {b} in the morning and {c} in the afternoon. In the evening {d} new {things} arrive. How many {things} does the shop have now?
After the morning there are {x=a-b} {things}.
After the afternoon there are {y=x-c} {things}.
With the new ones there are {z=y+d} {things}.

things | used at a feast | a=6..120 b=4..500 c=3..8
{c} friends each bring {a} {things} to a feast. They use {b} of them and share the rest equally. How many {things} does each friend take home?
The friends bring {x=c*a} {things}.
After the feast there are {y=x-b} {things}.
Each friend takes {z=y/c} {things} home.

things | a third | a=30..990 b=5..300
{name} has {a} {things}. {He} gives one third of them to {friend} and then {gets} {b} more. How many {things} does {name} have now?
{friend} gets {x=a/3} {things}.
That leaves {y=a-x} {things}.
Now {name} has {z=y+b} {things}.

things | a quarter | a=20..980
{name} has {a} {things}. {He} gives a quarter of them to {friend}. How many {things} does {name} have left?
{friend} gets {x=a/4} {things}.
{name} has {y=a-x} {things} left.

things | rows and extra | a=4..30 b=4..32 c=2..90
{name} lays {things} in {a} rows of {b}. {He} still has {c} {things} in {his} hands. How many {things} does {he} have in all?
The rows hold {x=a*b} {things}.
In all {name} has {y=x+c} {things}.

things | gifts for friends | a=20..490 b=3..60 c=3..9
{name} had {a} {things} and then [bought|got] as many again. {He} gave {b} {things} to each of {his} {c} friends. How many {things} are left?
{name} had {x=a*2} {things}.
The friends got {y=b*c} {things}.
So {z=x-y} {things} are left.

things | broken ones | a=5..60 b=8..40 c=2..20
{name} orders {a} {boxes} with {b} {things} in each. In every {box} {c} {things} are broken. How many {things} are still good?
Every {box} has {x=b-c} good {things}.
In all {y=a*x} {things} are good.

things | split the bill | a=3..24 b=4..40 c=2..9
{c} friends buy {a} {boxes} of {things}. One {box} costs {b} dollars. They split the cost equally. How many dollars does each friend pay?
The {boxes} cost {x=a*b} dollars.
Each friend pays {y=x/c} dollars.

trips | steady and more | a=3..80 b=2..9 c=3..300
{name} {goes} at {a} {units} an hour for {b} hours. After a rest {he} covers {c} more {units}. How many {units} does {name} travel [in all|in total]?
Before the rest {name} covers {x=a*b} {units}.
In all {he} travels {y=x+c} {units}.

trips | there and back | a=3..160 b=2..9
The way to {place} is {a} {units} long. {name} {goes} there and back {b} times. How many {units} does {he} travel?
There and back is {x=a*2} {units}.
In {b} trips {name} travels {y=x*b} {units}.

trips | what is left | a=60..980 b=10..450 c=10..450
The way to {place} is {a} {units} long. {name} covers {b} {units} on the first day and {c} {units} on the second day. How many {units} are left?
In two days {name} covers {x=b+c} {units}.
So {y=a-x} {units} are left.

trips | hours to go | a=30..900 b=6..500 c=3..9
{name} {goes} to {place}, which is {a} {units} away. {He} has already covered {b} {units}. [From now on {he} makes|{He} makes] {c} {units} an hour. How many hours does the rest take?
The rest of the way is {x=a-b} {units}.
It takes {y=x/c} hours.

trips | who goes farther | a=10..90 b=3..80 c=3..14
{name} and {friend} both {go}. {name} covers {a} {units} a day and {friend} covers {b} {units} a day. After {c} days, how many {units} farther has {name} gone?
Each day {name} goes {x=a-b} {units} farther.
After {c} days that is {y=x*c} {units}.

trips | morning and evening | a=3..60 b=3..60 c=3..9
{name} {goes} {a} {units} in the morning and {b} {units} in the evening. {He} does so for {c} days. How many {units} is that?
In one day {name} covers {x=a+b} {units}.
In {c} days {he} covers {y=x*c} {units}.

trips | three stages | a=15..200 b=5..200
{name} {goes} to {place} in three stages. The first stage is {a} {units} long. The second is twice as long as the first. The third is {b} {units} shorter than the second. How long is the whole way?
The second stage is {x=a*2} {units}.
The third stage is {y=x-b} {units}.
The first two stages make {z=a+x} {units}.
The whole way is {w=z+y} {units}.

jobs | earn and spend | a=4..80 b=3..12 c=5..500
{name} {does} and gets {a} dollars for each {item}. {He} finishes {b} {items} and then spends {c} dollars. How many dollars does {he} have left?
{name} earns {x=a*b} dollars.
After spending {he} has {y=x-c} dollars left.

jobs | saving for a goal | a=60..950 b=10..700 c=3..9
{name} wants to save {a} dollars and has {b} dollars. {He} {does} for {c} dollars per {item}. How many {items} must {he} finish to reach the goal?
{name} still needs {x=a-b} dollars.
{He} must finish {y=x/c} {items}.

jobs | weekend | a=3..40 b=3..20 c=3..20
{name} {does} for {a} dollars per {item}. {He} finishes {b} {items} on Saturday and {c} {items} on Sunday. How many dollars does {he} earn?
On both days {name} finishes {x=b+c} {items}.
{He} earns {y=x*a} dollars.

jobs | tips | a=4..80 b=3..12 c=4..200
{name} {does}. Today {he} finishes {b} {items} at {a} dollars each and also gets {c} dollars in tips. How many dollars does {he} make today?
The {items} bring {x=b*a} dollars.
With the tips {name} makes {y=x+c} dollars.

jobs | minutes of work | a=5..60 b=3..14 c=5..90
{name} {does}. One {item} takes {him} {a} minutes. {He} finishes {b} {items} and takes a break of {c} minutes. How many minutes does {he} need in all?
The {items} take {x=b*a} minutes.
With the break {name} needs {y=x+c} minutes.

jobs | shared pay | a=4..30 b=4..40
{name} and {friend} {do} together. They finish {a} {items} at {b} dollars each and share the money equally. How many dollars does each of them get?
Together they earn {x=a*b} dollars.
Each of them gets {y=x/2} dollars.

jobs | two weeks | a=10..90 b=3..60 c=2..8
{name} {does}. In the first week {he} finishes {a} {items}. In the second week {he} finishes {b} fewer. {He} gets {c} dollars for each {item}. How many dollars does {he} earn in both weeks?
In the second week {name} finishes {x=a-b} {items}.
In both weeks {he} finishes {y=a+x} {items}.
{He} earns {z=y*c} dollars.

groups | some leave | a=3..30 b=4..32 c=5..500
A {venue} has {a} {parts} with {b} {people} in each. Then {c} {people} [leave|go home]. How many {people} are [left|still there]?
At first there are {x=a*b} {people}.
After some leave there are {y=x-c} {people}.

groups | equal parts | a=20..600 b=10..390 c=2..9
There are {a} {people} at a {venue}. Then {b} more {people} come. All of them are split evenly into {c} {parts}. How many {people} are in each of the {parts}?
Now there are {x=a+b} {people}.
Each of the {parts} has {y=x/c} {people}.

groups | growing | a=15..240 b=5..300
A {venue} had {a} {people} last year. This year it has three times as many, but {b} of them are [away|ill] today. How many {people} are there today?
This year the {venue} has {x=a*3} {people}.
Today there are {y=x-b} {people}.

groups | guides | a=40..980 b=5..400 c=2..9
At a {venue} there are {a} {people}. {b} of them wait outside. The others are in {parts} of {c}. How many {parts} are there?
There are {x=a-b} {people} inside.
They make {y=x/c} {parts}.

groups | entry fees | a=5..40 b=5..14 c=5..60 d=2..8
At a {venue} {a} adults pay {b} dollars each and {c} children pay {d} dollars each. How many dollars do they pay together?
The adults pay {x=a*b} dollars.
The children pay {y=c*d} dollars.
Together they pay {z=x+y} dollars.

groups | no seats | a=80..980 b=12..60 c=3..14
{a} {people} of a {venue} go on a trip. There are {c} buses and each bus seats {b} {people}. How many {people} find no seat?
The buses seat {x=c*b} {people}.
So {y=a-x} {people} find no seat.

groups | one third new | a=30..990 b=5..300
A {venue} has {a} {people}. One third of them are new. {b} of the new {people} [are sick|stay at home]. How many new {people} come?
There are {x=a/3} new {people}.
So {y=x-b} new {people} come.

stuff | days of use | a=60..980 b=3..60 c=3..14
{name} has {a} {units} of {stuff}. {He} uses {b} {units} [a|every] day for {c} days. How many {units} are left?
In {c} days {name} uses {x=b*c} {units}.
So {y=a-x} {units} of {stuff} are left.

stuff | filled and added | a=3..24 b=3..36 c=4..200
{name} has {a} {jars} with {b} {units} of {stuff} in each. {friend} brings {c} more {units}. How many {units} of {stuff} do they have together?
{name} has {x=a*b} {units}.
Together they have {y=x+c} {units} of {stuff}.

stuff | into equal parts | a=40..980 b=5..500 c=2..9
{name} has {a} {units} of {stuff}. {He} sells {b} {units} and fills the rest evenly into {c} {jars}. How many {units} are in each {jar}?
After the sale {name} has {x=a-b} {units}.
Each {jar} holds {y=x/c} {units}.

stuff | discount | a=3..24 b=4..40 c=3..90
One of the {jars} of {stuff} costs {a} dollars. {name} buys {b} {jars} and gets a discount of {c} dollars on the whole. How many dollars does {he} pay?
Without the discount {name} would pay {x=b*a} dollars.
With it {he} pays {y=x-c} dollars.

stuff | batches | a=3..60 b=10..400 c=3..14
A kitchen needs {a} {units} of {stuff} for one batch. {name} wants to make {c} batches and has {b} {units}. How many more {units} does {he} need?
All batches need {x=c*a} {units}.
{name} needs {y=x-b} more {units}.

stuff | half gone | a=20..998 b=5..490
A store has {a} {units} of {stuff}. Half of it is sold. Then {b} {units} are delivered. How many {units} of {stuff} does the store have now?
After the sale there are {x=a/2} {units}.
Now the store has {y=x+b} {units} of {stuff}.

stuff | filling up | a=60..980 b=10..700 c=2..9
A tank for {stuff} holds {a} {units}. There are {b} {units} in it. {name} adds {c} {units} a minute. After how many minutes is it full?
The tank can take {x=a-b} more {units}.
It is full after {y=x/c} minutes.
"""
