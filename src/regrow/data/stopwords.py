"""The built-in stop words: English words that say how sentences are made, not what they are about."""

__all__ = ["ENGLISH"]

ENGLISH = """
a about above across after afterwards again against ain't all almost alone along already also although always am among
amongst an and another any anybody anyhow anyone anything anyway anywhere are aren't around as at away back be became
because become becomes been before beforehand behind being below beside besides between beyond both but by came can can't
cannot come comes could couldn't did didn't do does doesn't doing don't done down during each either else elsewhere enough
etc even ever every everybody everyone everything everywhere except few first for from further furthermore gave get gets
getting give given gives go goes going gone got had hadn't has hasn't have haven't having he he'd he'll he's hence her here
here's hereby herein hers herself him himself his how however i i'd i'll i'm i've if in indeed instead into is isn't it it'd
it'll it's its itself just keep kept last latter least less let let's like made mainly make makes many may maybe me
meanwhile might mine more moreover most mostly much must mustn't my myself namely near nearly neither never nevertheless
next no nobody none nor not nothing now nowhere of off often on once one one's only onto or other others otherwise ought our
ours ourselves out over own per perhaps please put quite rather re really said same say says see seem seemed seems seen
several shall shan't she she'd she'll she's should shouldn't since so some somebody somehow someone something sometimes
somewhere still such take taken than that that's the their theirs them themselves then thence there there's thereafter
thereby therefore therein these they they'd they'll they're they've this those though through throughout thus to together
too toward towards two under unless until up upon us use used uses using various very via was wasn't we we'd we'll we're
we've well went were weren't what what's whatever when whence whenever where where's whereas whereby wherein wherever
whether which while who who's whoever whole whom whose why will with within without won't would wouldn't yet you you'd
you'll you're you've your yours yourself yourselves
"""
