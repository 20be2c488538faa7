%% Benchmarks of the Savina suite in Erlang. Run as
%%   erl -noshell -noinput -pa FOLDER -run heddle_savina main WORKLOAD BUDGET_MS PARAMETER...
%% Repeats the benchmark for as long as the budget, at least once. Prints `iterations=N seconds=S` when every iteration
%% has come to the right result, and crashes otherwise.
-module(heddle_savina).
-export([main/1]).

main([Workload, Budget | Words]) ->
    Play = list_to_atom(Workload),
    Parameters = [list_to_integer(Word) || Word <- Words],
    Start = erlang:monotonic_time(microsecond),
    Deadline = Start + list_to_integer(Budget) * 1000,
    Iterations = repeat(Play, Parameters, Deadline, 0),
    Micros = erlang:monotonic_time(microsecond) - Start,
    io:format("iterations=~b seconds=~.6f~n", [Iterations, Micros / 1.0e6]),
    halt(0).

repeat(Play, Parameters, Deadline, Done) ->
    ok = play(Play, Parameters),
    case erlang:monotonic_time(microsecond) >= Deadline of
        true -> Done + 1;
        false -> repeat(Play, Parameters, Deadline, Done + 1)
    end.

play(ping_pong, [Pings]) -> ping_pong(Pings);
play(ping_pong_apart, [Pings]) -> ping_pong_apart(Pings);
play(fork_join_throughput, [Messages, Actors]) -> fork_join_throughput(Messages, Actors);
play(fork_join_creation, [Actors]) -> fork_join_creation(Actors);
play(thread_ring, [Actors, Hops]) -> thread_ring(Actors, Hops);
play(chameneos, [Chameneos, Meetings]) -> chameneos(Chameneos, Meetings);
play(big, [Pings, Actors]) -> big(Pings, Actors);
play(bank_transaction, [Accounts, Transactions]) -> bank_transaction(Accounts, Transactions).

%% What a number of processes report, summed up.
sum_of(_Tag, 0, Sum) -> Sum;
sum_of(Tag, Left, Sum) -> receive {Tag, Value} -> sum_of(Tag, Left - 1, Sum + Value) end.

%% Two processes of which each sends when it has received.

ping_pong(Pings) ->
    Pong = spawn_link(fun pong/0),
    Pings = ping(Pong, Pings, 0),
    Pong ! stop,
    ok.

%% The same, each process bound to a scheduler of its own: what a message from one core to another costs.

ping_pong_apart(Pings) ->
    Main = self(),
    Pong = spawn_opt(fun pong/0, [link, {scheduler, 1}]),
    spawn_opt(fun() -> Main ! {value, ping(Pong, Pings, 0)} end, [link, {scheduler, 2}]),
    receive {value, Pings} -> Pong ! stop end,
    ok.

ping(_Pong, 0, Value) -> Value;
ping(Pong, Left, Value) ->
    Pong ! {ping, self(), Value},
    receive {pong, Next} -> ping(Pong, Left - 1, Next) end.

pong() ->
    receive
        {ping, From, Value} -> From ! {pong, Value + 1}, pong();
        stop -> ok
    end.

%% Many messages to each of some processes.

fork_join_throughput(Messages, Actors) ->
    Main = self(),
    Workers = [spawn_link(fun() -> throughput_worker(Messages, 0, 0.0, Main) end) || _ <- lists:seq(1, Actors)],
    throughput_send(Messages, Workers),
    Expected = Messages * Actors,
    Expected = sum_of(done, Actors, 0),
    ok.

throughput_send(0, _Workers) -> ok;
throughput_send(Left, Workers) ->
    [Worker ! {compute, 37.2} || Worker <- Workers],
    throughput_send(Left - 1, Workers).

throughput_worker(0, Handled, Sum, Main) when Sum >= 0.0 -> Main ! {done, Handled};
throughput_worker(Left, Handled, Sum, Main) ->
    receive
        {compute, Theta} ->
            Sine = math:sin(Theta),
            throughput_worker(Left - 1, Handled + 1, Sum + Sine * Sine, Main)
    end.

%% Processes that are created, handle one message and end.

fork_join_creation(Actors) ->
    Main = self(),
    [spawn(fun() -> creation_task(Main) end) ! {compute, Value} || Value <- lists:seq(0, Actors - 1)],
    Expected = Actors * (Actors - 1) div 2,
    Expected = sum_of(done, Actors, 0),
    ok.

creation_task(Main) ->
    receive
        {compute, Value} ->
            Sine = math:sin(37.2),
            true = Sine * Sine > 0.0,
            Main ! {done, Value}
    end.

%% A token that goes round a ring.

thread_ring(Actors, Hops) ->
    Main = self(),
    Last = spawn_link(fun() -> receive {connect, First} -> ring_node(Actors - 1, First, Main) end end),
    First = lists:foldl(
        fun(Index, Next) -> spawn_link(fun() -> ring_node(Index, Next, Main) end) end,
        Last,
        lists:seq(Actors - 2, 0, -1)),
    Last ! {connect, First},
    First ! {pass, Hops},
    Expected = Hops rem Actors,
    receive {arrived, Expected} -> ok end,
    First ! stop,
    ok.

ring_node(Index, Next, Main) ->
    receive
        {pass, 0} -> Main ! {arrived, Index}, ring_node(Index, Next, Main);
        {pass, Left} -> Next ! {pass, Left - 1}, ring_node(Index, Next, Main);
        stop -> Next ! stop
    end.

%% Creatures that meet in pairs, by way of a mall.

chameneos(Chameneos, Meetings) ->
    Mall = self(),
    [spawn_link(fun() -> chameneo_begin(Mall, Index rem 3) end) || Index <- lists:seq(0, Chameneos - 1)],
    Expected = 2 * Meetings,
    Expected = mall(Meetings, none, Chameneos),
    ok.

mall(0, Waiting, Inside) ->
    Left = case Waiting of
        none -> 0;
        _ -> Waiting ! leave, 1
    end,
    mall_closed(Inside, Inside - Left, 0);
mall(Meetings, none, Inside) ->
    receive {visit, From, _Color} -> mall(Meetings, From, Inside) end;
mall(Meetings, Waiting, Inside) ->
    receive {visit, From, Color} -> Waiting ! {meet, From, Color}, mall(Meetings - 1, none, Inside) end.

mall_closed(0, _ToLeave, Met) -> Met;
mall_closed(Inside, ToLeave, Met) ->
    receive
        {visit, From, _Color} -> From ! leave, mall_closed(Inside, ToLeave - 1, Met);
        {met, Times} -> mall_closed(Inside - 1, ToLeave, Met + Times)
    end.

chameneo_begin(Mall, Color) ->
    Mall ! {visit, self(), Color},
    chameneo(Mall, Color, 0).

chameneo(Mall, Color, Met) ->
    receive
        {meet, Other, ItsColor} ->
            NewColor = complement(Color, ItsColor),
            Other ! {change, NewColor},
            Mall ! {visit, self(), NewColor},
            chameneo(Mall, NewColor, Met + 1);
        {change, NewColor} ->
            Mall ! {visit, self(), NewColor},
            chameneo(Mall, NewColor, Met + 1);
        leave -> Mall ! {met, Met}
    end.

complement(Color, Color) -> Color;
complement(One, Other) -> 3 - One - Other.

%% Everybody pings somebody at random, and waits for the answer.

big(Pings, Actors) ->
    Main = self(),
    All = list_to_tuple([spawn_link(fun() -> big_begin(Index, Pings, Main) end) || Index <- lists:seq(1, Actors)]),
    [One ! {all, All} || One <- tuple_to_list(All)],
    Expected = Pings * Actors,
    Expected = sum_of(done, Actors, 0),
    [One ! stop || One <- tuple_to_list(All)],
    ok.

big_begin(Index, Pings, Main) ->
    receive {all, All} -> big_send(Index, All, 0, Pings, Main) end.

big_send(Index, All, Pings, Pings, Main) ->
    Main ! {done, Pings},
    big_wait(Index, All, 0, Pings, Pings, Main);
big_send(Index, All, Pongs, Pings, Main) ->
    Other = rand:uniform(tuple_size(All)),
    element(Other, All) ! {ping, Index},
    big_wait(Index, All, Other, Pongs, Pings, Main).

big_wait(Index, All, Expecting, Pongs, Pings, Main) ->
    receive
        {ping, From} ->
            element(From, All) ! {pong, Index},
            big_wait(Index, All, Expecting, Pongs, Pings, Main);
        {pong, Expecting} -> big_send(Index, All, Pongs + 1, Pings, Main);
        stop -> ok
    end.

%% Transfers between accounts; an account takes no other message until the other one has the money.

bank_transaction(Accounts, Transactions) ->
    Teller = self(),
    All = list_to_tuple([spawn_link(fun() -> account(1000000, Teller) end) || _ <- lists:seq(1, Accounts)]),
    Sent = bank_send(All, Accounts, Transactions, 0),
    Sent = sum_of(transferred, Transactions, 0),
    [Account ! {balance, Teller} || Account <- tuple_to_list(All)],
    Expected = Accounts * 1000000,
    Expected = sum_of(balance, Accounts, 0),
    ok.

bank_send(_All, _Accounts, 0, Sent) -> Sent;
bank_send(All, Accounts, Left, Sent) ->
    From = rand:uniform(Accounts div 10 * 8),
    To = From + rand:uniform(Accounts - From),
    Amount = rand:uniform(1000),
    element(From, All) ! {transfer, Amount, element(To, All)},
    bank_send(All, Accounts, Left - 1, Sent + Amount).

account(Balance, Teller) ->
    receive
        {transfer, Amount, To} ->
            Reference = make_ref(),
            To ! {deposit, Amount, self(), Reference},
            receive {deposited, Reference} -> ok end,
            Teller ! {transferred, Amount},
            account(Balance - Amount, Teller);
        {deposit, Amount, From, Reference} ->
            From ! {deposited, Reference},
            account(Balance + Amount, Teller);
        {balance, To} -> To ! {balance, Balance}
    end.
