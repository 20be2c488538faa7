%% The Erlang side of heddle's benchmarks. Run as
%%   erl -noshell -noinput -pa FOLDER -run heddle_bench main WORKLOAD BUDGET_MS
%% Prints `messages=N seconds=S` once every message has been found right, and crashes otherwise.
-module(heddle_bench).
-export([main/1]).

-record(order, {id, account, symbol, side, price, quantity, urgent, note}).

main([Workload, Budget]) ->
    BudgetMs = list_to_integer(Budget),
    Start = erlang:monotonic_time(microsecond),
    Deadline = Start + BudgetMs * 1000,
    Messages = workload(Workload, Deadline),
    Micros = erlang:monotonic_time(microsecond) - Start,
    io:format("messages=~b seconds=~.6f~n", [Messages, Micros / 1.0e6]),
    halt(0).

workload("ping_pong", Deadline) -> ping_pong(Deadline);
workload("create", Deadline) -> create(Deadline);
workload("flood", Deadline) -> flood(Deadline);
workload("fan_in", Deadline) -> fan_in(Deadline).

past(Deadline) -> erlang:monotonic_time(microsecond) >= Deadline.

%% Two processes of which each sends when it has received.

ping_pong(Deadline) ->
    Main = self(),
    Pong = spawn_link(fun pong/0),
    spawn_link(fun() -> ping(Pong, Deadline, 0, Main) end),
    receive {done, Exchanges} -> 2 * Exchanges end.

ping(Pong, Deadline, Sent, Main) when Sent rem 1000 =:= 0, Sent > 0 ->
    case past(Deadline) of
        true -> Main ! {done, Sent};
        false -> ping_once(Pong, Deadline, Sent, Main)
    end;
ping(Pong, Deadline, Sent, Main) -> ping_once(Pong, Deadline, Sent, Main).

ping_once(Pong, Deadline, Sent, Main) ->
    Pong ! {ping, self(), Sent},
    receive {pong, Answer} when Answer =:= Sent + 1 -> ping(Pong, Deadline, Sent + 1, Main) end.

pong() ->
    receive {ping, From, Value} -> From ! {pong, Value + 1}, pong() end.

%% Processes that are created in batches which exist at once, handle one message and end.

create(Deadline) -> create(Deadline, 0).

create(Deadline, Created) ->
    Main = self(),
    Batch = 1000,
    Processes = [spawn(fun() -> receive {add, Value} -> Main ! {added, Value} end end) || _ <- lists:seq(1, Batch)],
    lists:foldl(fun(Process, Value) -> Process ! {add, Value}, Value + 1 end, 0, Processes),
    Sum = lists:foldl(fun(_, Total) -> receive {added, Value} -> Total + Value end end, 0, Processes),
    Sum = Batch * (Batch - 1) div 2,
    case past(Deadline) of
        true -> Created + Batch;
        false -> create(Deadline, Created + Batch)
    end.

%% Records of 8 fields from a process on one scheduler to a process on the other.

flood(Deadline) ->
    Main = self(),
    Receiver = spawn_opt(fun() -> flood_receive(0, Main) end, [link, {scheduler, 1}]),
    spawn_opt(fun() -> flood_send(Receiver, Deadline, 0, 0) end, [link, {scheduler, 2}]),
    receive {done, Messages} -> Messages end.

flood_send(Receiver, Deadline, Sent, Taken) when Sent - Taken > 4096 - 256 ->
    %% At most 4096 under way: a longer queue only feeds the garbage collector.
    receive {taken, NowTaken} -> flood_send(Receiver, Deadline, Sent, NowTaken) end;
flood_send(Receiver, Deadline, Sent, Taken) ->
    Next = flood_burst(Receiver, Sent, Sent + 256),
    case past(Deadline) of
        true -> Receiver ! {finish, Next};
        false -> flood_send(Receiver, Deadline, Next, Taken)
    end.

flood_burst(_Receiver, Sent, Sent) -> Sent;
flood_burst(Receiver, Sent, End) ->
    Receiver ! {order_from, self(), #order{
        id = Sent, account = <<"acc-004711">>, symbol = <<"HEDL">>, side = buy, price = 101.25,
        quantity = Sent band 1023, urgent = false, note = <<"good till cancelled">>}},
    flood_burst(Receiver, Sent + 1, End).

flood_receive(Count, Main) ->
    receive
        {order_from, Sender, #order{id = Count, price = 101.25, quantity = Quantity, note = Note}}
                when Quantity =:= Count band 1023, byte_size(Note) =:= 19 ->
            case (Count + 1) rem 1024 of
                0 -> Sender ! {taken, Count + 1};
                _ -> ok
            end,
            flood_receive(Count + 1, Main);
        {finish, Count} -> Main ! {done, Count};
        Wrong -> exit({wrong_message, Count, Wrong})
    end.

%% 8 processes that send to one, each waiting after 1000 messages until they are taken.

fan_in(Deadline) ->
    Senders = 8,
    Main = self(),
    Receiver = spawn_link(fun() -> fan_in_receive(0, 0, Senders, 0, 0, Main) end),
    [spawn_link(fun() -> fan_in_send(Receiver, Deadline, 0, 0) end) || _ <- lists:seq(1, Senders)],
    receive {done, Messages} -> Messages end.

fan_in_send(Receiver, Deadline, Sent, Sum) ->
    {NextSent, NextSum} = fan_in_burst(Receiver, 1000, Sent, Sum),
    Receiver ! {sync, self()},
    receive synced -> ok end,
    case past(Deadline) of
        true -> Receiver ! {finish, NextSent, NextSum};
        false -> fan_in_send(Receiver, Deadline, NextSent, NextSum)
    end.

fan_in_burst(_Receiver, 0, Sent, Sum) -> {Sent, Sum};
fan_in_burst(Receiver, Left, Sent, Sum) ->
    Receiver ! {add, Sent},
    fan_in_burst(Receiver, Left - 1, Sent + 1, Sum + Sent).

fan_in_receive(Count, Sum, 0, Count, Sum, Main) -> Main ! {done, Count};
fan_in_receive(Count, Sum, 0, Sent, SentSum, _Main) -> exit({wrong_sum, Count, Sum, Sent, SentSum});
fan_in_receive(Count, Sum, Running, Sent, SentSum, Main) ->
    receive
        {add, Value} -> fan_in_receive(Count + 1, Sum + Value, Running, Sent, SentSum, Main);
        {sync, Sender} -> Sender ! synced, fan_in_receive(Count, Sum, Running, Sent, SentSum, Main);
        {finish, ItsSent, ItsSum} ->
            fan_in_receive(Count, Sum, Running - 1, Sent + ItsSent, SentSum + ItsSum, Main)
    end.
